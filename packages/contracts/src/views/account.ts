/** Who is here: people, organizations, keys, what was done. */
import type { Role } from './common'

export interface MeView {
  id: string
  name: string
  email: string
  organizations: { slug: string; name: string; role: Role }[]
}

/** `setup.status`: true until the first account exists. */
export interface SetupView {
  needed: boolean
}

/** Counts for the rail. */
export interface OrganizationView {
  slug: string
  name: string
  role: Role
  /** Where docker reaches the registry, as `docker login` writes it: `localhost:5000`. */
  registryHost: string
  /** Over http: podman and skopeo want to be told so. */
  registryIsPlain: boolean
  counts: { apps: number; activeBuilds: number; repositories: number; hosts: number; projects: number; members: number }
}

export interface MemberView {
  id: string
  name: string
  email: string
  role: Role
  joinedAt: Date
}

export interface ApiKeyView {
  id: string
  name: string
  prefix: string
  createdAt: Date
  lastUsedAt: Date | null
  expiresAt: Date | null
  scope: 'everything' | 'registry_write' | 'registry_read'
  /** Slug of the one organization that it is limited to. */
  organization: string | null
}

export interface CreatedApiKeyView {
  /** `slp_…`; shown this once. */
  key: string
  view: ApiKeyView
}

/** The key that a Git server's SSH answered with the first time; the same is asked for from then on. */
export interface KnownHostView {
  id: string
  /** `git.example` or `[git.example]:2222` */
  host: string
  keyType: string
  /** `SHA256:…`, as ssh-keygen shows it. */
  fingerprint: string
  createdAt: Date
}

export interface SearchHit {
  kind: 'app' | 'project' | 'repository' | 'build' | 'action'
  label: string
  detail: string
  href: string
}
