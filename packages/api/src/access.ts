import { inputs } from '@slipway/contracts'
import { orgProcedure, projectProcedure, publicProcedure, repositoryProcedure, router, userProcedure } from './trpc'

/** Roles on one repository or project, and what others share with the caller. */
export const accessRouter = router({
  repository: repositoryProcedure.query(({ ctx, input }) => ctx.services.access.repository(ctx.scope, input)),
  setVisibility: repositoryProcedure
    .input(inputs.setVisibility)
    .mutation(({ ctx, input }) => ctx.services.access.setVisibility(ctx.scope, input)),
  grantOnRepository: repositoryProcedure
    .input(inputs.grantOnRepository)
    .mutation(({ ctx, input }) => ctx.services.access.grantOnRepository(ctx.scope, input)),
  revokeOnRepository: repositoryProcedure
    .input(inputs.revokeOnRepository)
    .mutation(({ ctx, input }) => ctx.services.access.revokeOnRepository(ctx.scope, input)),
  project: projectProcedure.query(({ ctx, input }) => ctx.services.access.project(ctx.scope, input)),
  grantOnProject: projectProcedure
    .input(inputs.grantOnProject)
    .mutation(({ ctx, input }) => ctx.services.access.grantOnProject(ctx.scope, input)),
  revokeOnProject: projectProcedure
    .input(inputs.revokeOnProject)
    .mutation(({ ctx, input }) => ctx.services.access.revokeOnProject(ctx.scope, input)),
  shared: userProcedure.input(inputs.shared).query(({ ctx, input }) => ctx.services.access.shared(ctx.actor, input)),
  outside: userProcedure.input(inputs.outside).query(({ ctx, input }) => ctx.services.access.outside(ctx.actor, input.org)),
})

export const membersRouter = router({
  setRole: orgProcedure.input(inputs.setMemberRole).mutation(({ ctx, input }) => ctx.services.members.setRole(ctx.scope, input)),
  remove: orgProcedure.input(inputs.member).mutation(({ ctx, input }) => ctx.services.members.remove(ctx.scope, input)),
  leave: orgProcedure.mutation(({ ctx }) => ctx.services.members.leave(ctx.scope)),
})

export const invitationsRouter = router({
  list: orgProcedure.query(({ ctx }) => ctx.services.invitations.list(ctx.scope)),
  create: orgProcedure.input(inputs.inviteMember).mutation(({ ctx, input }) => ctx.services.invitations.create(ctx.scope, input)),
  revoke: orgProcedure.input(inputs.invitation).mutation(({ ctx, input }) => ctx.services.invitations.revoke(ctx.scope, input)),
  /** Of whoever holds the link. */
  look: publicProcedure.input(inputs.invitationToken).query(({ ctx, input }) => ctx.services.invitations.look(input)),
  accept: userProcedure.input(inputs.invitationToken).mutation(({ ctx, input }) => ctx.services.invitations.accept(ctx.actor, input)),
  /** Makes the account and signs it in at once: answers with the session's cookies. */
  join: publicProcedure.input(inputs.joinByInvitation).mutation(async ({ ctx, input }) => {
    const joined = await ctx.services.invitations.join(input, ctx.ip)
    if (ctx.responseHeaders) {
      for (const cookie of await ctx.services.auth.signIn(input.email, input.password, ctx.headers))
        ctx.responseHeaders.append('set-cookie', cookie)
    }
    return joined
  }),
})

export const teamsRouter = router({
  list: orgProcedure.query(({ ctx }) => ctx.services.teams.list(ctx.scope)),
  create: orgProcedure.input(inputs.createTeam).mutation(({ ctx, input }) => ctx.services.teams.create(ctx.scope, input)),
  delete: orgProcedure.input(inputs.team).mutation(({ ctx, input }) => ctx.services.teams.delete(ctx.scope, input)),
  addMember: orgProcedure.input(inputs.teamMember).mutation(({ ctx, input }) => ctx.services.teams.addMember(ctx.scope, input)),
  removeMember: orgProcedure.input(inputs.teamMember).mutation(({ ctx, input }) => ctx.services.teams.removeMember(ctx.scope, input)),
})
