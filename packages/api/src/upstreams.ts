import { inputs } from '@slipway/contracts'
import { orgProcedure, router } from './trpc'

/** Registries that ours keeps copies from; the installation's, changed in its first organization. */
export const upstreamsRouter = router({
  list: orgProcedure.query(({ ctx }) => ctx.services.upstreams.list(ctx.scope)),
  create: orgProcedure.input(inputs.createUpstream).mutation(({ ctx, input }) => ctx.services.upstreams.create(ctx.scope, input)),
  update: orgProcedure.input(inputs.updateUpstream).mutation(({ ctx, input }) => ctx.services.upstreams.update(ctx.scope, input)),
  remove: orgProcedure.input(inputs.upstream).mutation(({ ctx, input }) => ctx.services.upstreams.remove(ctx.scope, input)),
  empty: orgProcedure.input(inputs.upstream).mutation(({ ctx, input }) => ctx.services.upstreams.empty(ctx.scope, input)),
  test: orgProcedure.input(inputs.testUpstream).mutation(({ ctx, input }) => ctx.services.upstreams.test(ctx.scope, input)),
})
