import { channels, inputs } from '@slipway/contracts'
import { stream } from './live'
import { type OrgCall, orgProcedure, router, userProcedure } from './trpc'

export const organizationsRouter = router({
  create: userProcedure.input(inputs.createOrganization).mutation(({ ctx, input }) => ctx.services.organizations.create(ctx.actor, input)),
  get: orgProcedure.query(({ ctx }) => ctx.services.organizations.get(ctx.scope)),
  members: orgProcedure.query(({ ctx }) => ctx.services.organizations.members(ctx.scope)),
  addMember: orgProcedure.input(inputs.addMember).mutation(({ ctx, input }) => ctx.services.organizations.addMember(ctx.scope, input)),
  search: orgProcedure.input(inputs.search).query(({ ctx, input }) => ctx.services.organizations.search(ctx.scope, input)),
  audit: orgProcedure.input(inputs.listAudit).query(({ ctx, input }) => ctx.services.organizations.audit(ctx.scope, input)),
  /** Something of the organization changed: invalidate what is shown. */
  watch: orgProcedure.subscription((call) => stream(call, watchOrganization(call))),
})

async function* watchOrganization({ ctx, signal }: OrgCall<unknown>) {
  for await (const _ of ctx.services.changes.ticks(channels.organization(ctx.scope.organizationId), signal)) yield { at: new Date() }
}
