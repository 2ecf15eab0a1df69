/** Who may do what: members, teams, invitations, grants on repositories and projects, visibility. */
import { GRANTABLE_ROLES, ROLES, VISIBILITIES } from '@slipway/core'
import * as z from 'zod'
import { id, org, slug } from './base'

const email = z.email('That does not look like an e-mail address.').max(200)
const role = z.enum(ROLES)
const inRepository = org.extend({ repository: z.string().min(1).max(255) })
const inProject = org.extend({ project: slug })
const inTeam = org.extend({ team: slug })

export const setVisibility = inRepository.extend({
  visibility: z.enum(VISIBILITIES),
  /** The repository's name typed again: needed to make it public, since what was read once cannot be taken back. */
  confirm: z.string().max(255).optional(),
})
const grant = {
  role: z.enum(GRANTABLE_ROLES),
  /** To an account, a member or not, by its e-mail address; or to a team by its slug. */
  to: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('user'), email }),
    z.object({ kind: z.literal('team'), team: z.string().regex(/^[a-z0-9-]{1,48}$/, 'Choose a team.') }),
  ]),
}
export const repositoryAccess = inRepository
export const grantOnRepository = inRepository.extend(grant)
export const revokeOnRepository = inRepository.extend({ id })
export const projectAccess = inProject
export const grantOnProject = inProject.extend(grant)
export const revokeOnProject = inProject.extend({ id })
/** What others share with the caller. */
export const shared = z.object({
  query: z.string().max(200).optional(),
  cursor: z.string().max(400).nullish(),
  limit: z.number().int().min(1).max(100).default(50),
})
export const outside = org

export const member = org.extend({ id })
export const setMemberRole = member.extend({ role })
export const inviteMember = org.extend({
  role,
  /** For people to recognize it by; nothing is sent. */
  email: email.optional(),
  team: slug.optional(),
})
export const invitation = org.extend({ id })
export const invitationToken = z.object({ token: z.string().max(200) })
export const joinByInvitation = invitationToken.extend({
  name: z.string().trim().min(1, 'Tell us your name.').max(80),
  email,
  password: z.string().min(10, 'Use at least 10 characters.').max(200),
})

export const createTeam = org.extend({ name: z.string().trim().min(1, 'Name the team.').max(80) })
export const team = inTeam
/** `member`: the id of a membership. */
export const teamMember = inTeam.extend({ member: id })
