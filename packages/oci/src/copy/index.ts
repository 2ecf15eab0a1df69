/** Copying of images between registries, for the worker's replication and the command line. Needs Node. */
export { copyImage, isReferrersTag } from './copy-image'
export { isPassing, retried } from './retry'
export type { CopyOptions, CopyProgress, CopyResult, Side } from './types'
