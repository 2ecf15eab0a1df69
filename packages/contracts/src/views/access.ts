/** Who may do what. */
import type { GrantableRole, Role, Visibility } from './common'

export interface GrantView {
  id: string
  role: GrantableRole
  to:
    | { kind: 'user'; name: string; email: string /** Of the organization. */; member: boolean }
    | { kind: 'team'; slug: string; name: string; members: number }
  createdAt: Date
}

export interface RepositoryAccessView {
  visibility: Visibility
  /** What the caller is here. */
  role: Role
  mayManage: boolean
  /** Whose grants reach it as well. */
  project: { slug: string; name: string; grants: GrantView[] } | null
  /** How many members have each role in the organization; null for those who are no member. */
  members: { role: Role; count: number }[] | null
  /** Empty for those who are no member and may not change them. */
  grants: GrantView[]
}

export interface ProjectAccessView {
  slug: string
  name: string
  role: Role
  mayManage: boolean
  grants: GrantView[]
}

export interface SharedRepositoryView {
  organization: { slug: string; name: string }
  name: string
  visibility: Visibility
  /** By a grant; null: every account may read it. */
  role: GrantableRole | null
  lastPushedAt: Date | null
}

export interface SharedAppView {
  organization: { slug: string; name: string }
  slug: string
  name: string
  project: string
  role: GrantableRole
}

export interface SharedView {
  repositories: SharedRepositoryView[]
  next: string | null
  apps: SharedAppView[]
}

/** An organization as somebody sees it who is no member but has something of it. */
export interface OutsideView extends SharedView {
  slug: string
  name: string
}

export interface InvitationView {
  id: string
  role: Role
  email: string | null
  team: { slug: string; name: string } | null
  createdBy: string
  createdAt: Date
  expiresAt: Date
}

export interface CreatedInvitationView {
  /** Shown this once. */
  url: string
  view: InvitationView
}

/** What the holder of a link sees before taking it. */
export interface OpenInvitationView {
  organization: { slug: string; name: string }
  role: Role
  email: string | null
  team: string | null
  createdBy: string
  expiresAt: Date
}

export interface TeamView {
  slug: string
  name: string
  members: { id: string; name: string; email: string; role: Role }[]
  grants: { role: GrantableRole; on: { kind: 'repository'; name: string } | { kind: 'project'; slug: string; name: string } }[]
  createdAt: Date
}
