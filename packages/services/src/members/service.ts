import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Actor, Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** Changes of who is in an organization. The last owner can neither go nor become less. */
export interface MembersService {
  setRole(scope: Scope, input: Of<typeof inputs.setMemberRole>): Promise<views.MemberView>
  /** With their places in teams and the grants of their own. */
  remove(scope: Scope, input: Of<typeof inputs.member>): Promise<views.MemberView>
  leave(scope: Scope): Promise<{ left: string }>
}

/** Links that make one account a member, once, for a week. */
export interface InvitationsService {
  list(scope: Scope): Promise<views.InvitationView[]>
  create(scope: Scope, input: Of<typeof inputs.inviteMember>): Promise<views.CreatedInvitationView>
  revoke(scope: Scope, input: Of<typeof inputs.invitation>): Promise<views.InvitationView>
  /** What a link is for. Unknown, used, revoked and old ones are one NOT_FOUND. */
  look(input: z.infer<typeof inputs.invitationToken>): Promise<views.OpenInvitationView>
  /** By somebody who has an account. */
  accept(actor: Actor, input: z.infer<typeof inputs.invitationToken>): Promise<{ organization: string }>
  /** By somebody who has none: makes it. The caller then signs it in. */
  join(input: z.infer<typeof inputs.joinByInvitation>, ip: string | null): Promise<{ organization: string }>
}
