import { inputs } from '@slipway/contracts'
import { orgProcedure, router } from './trpc'

export const buildCacheRouter = router({
  get: orgProcedure.query(({ ctx }) => ctx.services.buildCache.get(ctx.scope)),
  preview: orgProcedure.input(inputs.clearBuildCache).query(({ ctx, input }) => ctx.services.buildCache.preview(ctx.scope, input)),
  clear: orgProcedure.input(inputs.clearBuildCache).mutation(({ ctx, input }) => ctx.services.buildCache.clear(ctx.scope, input)),
})
