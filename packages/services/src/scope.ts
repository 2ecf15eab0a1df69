import type { views } from '@slipway/contracts'

/** Who is signed in, and how. */
export interface Identity {
  userId: string
  name: string
  email: string
  via: 'session' | 'apiKey'
  /** Slug of the one organization that the API key is limited to. */
  organization?: string | null
}

/** Who an audit event names. `userId` is null for what the system does by itself (webhook, sweep). */
export interface Actor {
  userId: string | null
  label: string
  ip: string | null
  /** Slug of the one organization that the API key is limited to: every other one is not there. */
  organization?: string | null
}

/**
 * One organization, as one member sees it. Every use case on an organization's data takes this first; it is made only
 * by `organizations.scope` (which checks the membership) and, for webhooks, by `systemScope` after the signature is verified.
 */
export interface Scope {
  organizationId: string
  organization: string
  role: views.Role
  actor: Actor
  /**
   * Set when the role holds on one repository, app or project only, because a grant raised it there or the caller is no member.
   * The loaders (`loadRepository`, `loadApp`) find nothing else with it.
   */
  within?: { repository: string } | { app: string } | { project: string }
  /** No member: of the organization they see that thing, and nothing that it leads to. */
  outside?: true
}
