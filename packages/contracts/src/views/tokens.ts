/** Robots, links to one image, and logins that docker keeps. */
import type { RobotGrant } from '../robots'
import type { PullCommandsView } from './images'

export interface RobotView {
  id: string
  name: string
  /** As docker login takes it: `robot$acme+ci`. */
  login: string
  /** `slr_1a2b3c4d…` */
  prefix: string
  grants: RobotGrant[]
  state: 'active' | 'disabled' | 'expired'
  createdBy: string
  createdAt: Date
  expiresAt: Date | null
  lastUsedAt: Date | null
  /** IP address. */
  lastUsedFrom: string | null
}

export interface CreatedRobotView {
  /** `slr_…`; shown this once. */
  secret: string
  view: RobotView
  /** Ready to copy; asks for the secret on its standard input. */
  command: string
}

export interface ShareView {
  id: string
  /** `sls_1a2b3c4d…` */
  prefix: string
  tag: string | null
  createdBy: string
  createdAt: Date
  expiresAt: Date
  pulls: number
  lastPulledAt: Date | null
}

export interface CreatedShareView {
  /** The address of the page, with the token; shown this once. */
  url: string
  view: ShareView
}

/** What somebody without an account sees of an image that was shared. */
export interface SharedImageView {
  organization: string
  /** `acme/api` */
  repository: string
  /** What it was called when it was shared. */
  tag: string | null
  digest: string
  platforms: { platform: string; digest: string; size: number }[]
  /** Of an image for one platform; empty for several. */
  layers: { digest: string; size: number; createdBy: string | null }[]
  size: number
  createdAt: Date | null
  sharedAt: Date
  sharedBy: string
  expiresAt: Date
  commands: PullCommandsView & { login: string }
}

/** A login that docker keeps instead of the password. */
export interface RegistryLoginView {
  id: string
  client: string
  /** Name of the API key that it was made with; null: the password. */
  apiKey: string | null
  createdAt: Date
  lastUsedAt: Date
  lastUsedFrom: string
  expiresAt: Date
}
