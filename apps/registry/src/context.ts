import type { RegistryToken } from '@slipway/contracts'
import type { Db } from '@slipway/db'
import type { TrustedProxies } from '@slipway/outbound'
import type { Logger } from 'pino'
import type { Authenticator } from './auth/credentials'
import type { TokenKeys } from './auth/keys'
import type { Limiters } from './auth/request-limits'
import type { TokenVerifier } from './auth/verify'
import type { Integrity } from './integrity/integrity'
import type { ManifestCache } from './manifest-cache'
import type { PullCounter } from './pulls'
import type { QuotaDoor } from './quota'
import type { RecentUploads } from './recent-uploads'
import type { Patience } from './server'
import type { BlobStore } from './store/store'
import type { Upstreams } from './upstream/upstreams'

/** What every handler works with; made once per process. */
export interface Registry {
  db: Db
  store: BlobStore
  keys: TokenKeys
  verifier: TokenVerifier
  authenticator: Authenticator
  limiters: Limiters
  publicUrl: string | undefined
  trustedProxies: TrustedProxies
  maxBlobBytes: number
  /** Of one organization at one time. */
  maxOpenUploads: number
  patience: Patience
  version: string
  log: Logger
  pulls: PullCounter
  manifests: ManifestCache
  integrity: Integrity
  upstreams: Upstreams
  quota: QuotaDoor
  /** Uploads that a request is writing to now; the sweep leaves them, a second writer is refused. */
  busyUploads: Set<string>
  recentUploads: RecentUploads
}

/** A request that was let in: the token was checked for the route's repository and the method's action. */
export interface Caller {
  token: RegistryToken
  /** IP address, for counting pulls. */
  address: string
}
