export { readMasterKey } from './master-key'
export { createSealer, type SealedFor, type Sealer } from './seal'
