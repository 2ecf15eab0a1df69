/**
 * What the tRPC procedures answer (types only; superjson carries Dates). Sizes in bytes, durations in milliseconds.
 * Procedures, by router (packages/api): see the table in packages/api/README.md.
 */
export type * from './access'
export type * from './account'
export type * from './activity'
export type * from './apps'
export type * from './build-cache'
export type * from './builds'
export type * from './common'
export type * from './deployments'
export type * from './files'
export type * from './hosts'
export type * from './images'
export type * from './inspections'
export type * from './outgoing'
export type * from './policies'
export type * from './registry-keys'
export type * from './replication'
export type * from './storage'
export type * from './tokens'
export type * from './upstreams'
