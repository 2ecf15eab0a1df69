/**
 * Who may do what: one table of verbs and roles, read by the panel's use cases and by the registry's token endpoint.
 *
 * A role is held in an organization, and grants raise it on one repository, or on one project with its apps and repositories.
 * Nothing lowers it: what a person may do on a thing is the highest of what they hold on it.
 */

/** The strongest first; the database's enum has the same order. */
export const ROLES = ['owner', 'admin', 'developer', 'guest'] as const
export type Role = (typeof ROLES)[number]

/** What a grant on a repository or project may give: owning is of organizations only. */
export const GRANTABLE_ROLES = ['admin', 'developer', 'guest'] as const
export type GrantableRole = (typeof GRANTABLE_ROLES)[number]

/** private: members and whoever has a grant. internal: every account of the installation reads. public: anybody reads. */
export const VISIBILITIES = ['private', 'internal', 'public'] as const
export type Visibility = (typeof VISIBILITIES)[number]

const ALLOWED = {
  read: ['owner', 'admin', 'developer', 'guest'],
  /** Projects, apps, builds, deployments, images: the daily work. */
  change: ['owner', 'admin', 'developer'],
  /** Tokens, webhook secrets, variables' values. */
  'read secrets': ['owner', 'admin', 'developer'],
  /** Visibility and rules of one repository or project, and who else has a role there. */
  'manage access': ['owner', 'admin'],
  'manage members': ['owner', 'admin'],
  'make owners': ['owner'],
  /** Rules of the whole registry: quotas, retention, protected tags, robots, upstreams, replication, outgoing webhooks. */
  'manage registry': ['owner', 'admin'],
  /** What holds for all organizations on a host; only in the installation's first organization. */
  'run hosts': ['owner', 'admin'],
  /** The registry's own three, as they stand in a token. */
  pull: ['owner', 'admin', 'developer', 'guest'],
  push: ['owner', 'admin', 'developer'],
  delete: ['owner', 'admin', 'developer'],
} as const satisfies Record<string, readonly Role[]>
export type Permission = keyof typeof ALLOWED

export const PERMISSIONS = Object.keys(ALLOWED) as Permission[]

/** `null`: whoever holds no role may nothing. */
export const may = (role: Role | null, permission: Permission): boolean =>
  role !== null && (ALLOWED[permission] as readonly Role[]).includes(role)

/** Who may, the strongest first; for a sentence that says whom to ask. */
export const rolesThatMay = (permission: Permission): readonly Role[] => ALLOWED[permission]

/** The strongest of several; null when there is none. */
export function highestRole(...roles: (Role | null | undefined)[]): Role | null {
  return ROLES.find((role) => roles.includes(role)) ?? null
}

/** What somebody holds on one repository or one project. */
export interface Standing {
  /** In the organization; null: no member. */
  member: Role | null
  /** The strongest grant, theirs or of a team of theirs. */
  granted: Role | null
  /** Of a repository; null where there is none. */
  visibility: Visibility | null
}

/** What they may be taken for there; null: they are told that it does not exist. */
export function effectiveRole({ member, granted, visibility }: Standing, signedIn: boolean): Role | null {
  const open = visibility === 'public' || (visibility === 'internal' && signedIn)
  return highestRole(member, granted, open ? 'guest' : null)
}
