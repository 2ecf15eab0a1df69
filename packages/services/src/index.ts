export type { Actor, Identity, Scope } from './scope'
export type { Services } from './services'
