import { inputs } from '@slipway/contracts'
import { orgProcedure, router } from './trpc'

export const hostsRouter = router({
  list: orgProcedure.query(({ ctx }) => ctx.services.hosts.list(ctx.scope)),
  buildPolicy: orgProcedure.input(inputs.host).query(({ ctx, input }) => ctx.services.hosts.buildPolicy(ctx.scope, input)),
  previewBuildPolicy: orgProcedure
    .input(inputs.setBuildPolicy)
    .query(({ ctx, input }) => ctx.services.hosts.previewBuildPolicy(ctx.scope, input)),
  setBuildPolicy: orgProcedure
    .input(inputs.setBuildPolicy)
    .mutation(({ ctx, input }) => ctx.services.hosts.setBuildPolicy(ctx.scope, input)),
})
