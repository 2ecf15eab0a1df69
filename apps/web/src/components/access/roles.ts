import type { views } from '@slipway/contracts'

/** What each role is called, and what it is good for, in few words. */
export const ROLE_TEXT: Record<views.Role, { label: string; hint: string }> = {
  owner: { label: 'Owner', hint: 'Everything, other owners included' },
  admin: { label: 'Admin', hint: 'Everything but owners' },
  developer: { label: 'Developer', hint: 'Builds, deploys, pushes and deletes' },
  guest: { label: 'Guest', hint: 'Looks and pulls' },
}
const optionsOf = <R extends views.Role>(roles: readonly R[]) => roles.map((value) => ({ value, label: ROLE_TEXT[value].label }))

/** Of an organization. Only owners make owners. */
export const memberRoles = (mine: views.Role) =>
  optionsOf<views.Role>(mine === 'owner' ? ['owner', 'admin', 'developer', 'guest'] : ['admin', 'developer', 'guest'])
/** Of a grant on one repository or project. */
export const GRANT_ROLES = optionsOf<views.GrantableRole>(['admin', 'developer', 'guest'])

export const GRANT_HINT: Record<views.GrantableRole, string> = {
  admin: 'Everything here, who else may included',
  developer: 'Pushes and deletes here; on a project, builds and deploys its apps',
  guest: 'Looks and pulls',
}

export const VISIBILITY_TEXT: Record<views.Visibility, { label: string; hint: string }> = {
  private: { label: 'Private', hint: 'Members of the organization, and whoever has a role here.' },
  internal: { label: 'Internal', hint: 'Everybody with an account on this installation may look and pull.' },
  public: { label: 'Public', hint: 'Anybody who reaches the registry may pull, without an account.' },
}

export const people = (n: number) => (n === 1 ? '1 member' : `${n} members`)
