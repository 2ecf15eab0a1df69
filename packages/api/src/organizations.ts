import { channels, inputs } from '@slipway/contracts'
import { stream } from './live'
import { type OrgCall, orgProcedure, router, userProcedure } from './trpc'

export const organizationsRouter = router({
  create: userProcedure.input(inputs.createOrganization).mutation(({ ctx, input }) => ctx.services.organizations.create(ctx.actor, input)),
  get: orgProcedure.query(({ ctx }) => ctx.services.organizations.get(ctx.scope)),
  members: orgProcedure.query(({ ctx }) => ctx.services.organizations.members(ctx.scope)),
  addMember: orgProcedure.input(inputs.addMember).mutation(({ ctx, input }) => ctx.services.organizations.addMember(ctx.scope, input)),
  search: orgProcedure.input(inputs.search).query(({ ctx, input }) => ctx.services.organizations.search(ctx.scope, input)),
  audit: orgProcedure.input(inputs.listAudit).query(({ ctx, input }) => ctx.services.activity.list(ctx.scope, input)),
  auditFacets: orgProcedure.query(({ ctx }) => ctx.services.activity.facets(ctx.scope)),
  knownHosts: orgProcedure.query(({ ctx }) => ctx.services.organizations.knownHosts(ctx.scope)),
  forgetKnownHost: orgProcedure
    .input(inputs.forgetKnownHost)
    .mutation(({ ctx, input }) => ctx.services.organizations.forgetKnownHost(ctx.scope, input)),
  /** Something of the organization changed: invalidate what is shown. */
  watch: orgProcedure.subscription((call) => stream(call, watchOrganization(call))),
})

/** At most this often: whoever hears of it reads several lists again. */
const PAUSE_MS = 400

async function* watchOrganization({ ctx, signal }: OrgCall<unknown>) {
  const { changes } = ctx.services
  let before = ''
  for await (const signaled of changes.ticks(channels.organization(ctx.scope.organizationId), signal)) {
    // A poll is no news by itself: it is there for the signal that was lost.
    const now = await changes.fingerprint(ctx.scope)
    if (!signaled && now === before) continue
    before = now
    yield { at: new Date() }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}
