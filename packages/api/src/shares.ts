import { inputs } from '@slipway/contracts'
import { orgProcedure, publicProcedure, router } from './trpc'

export const sharesRouter = router({
  list: orgProcedure.input(inputs.listShares).query(({ ctx, input }) => ctx.services.shares.list(ctx.scope, input)),
  create: orgProcedure.input(inputs.createShare).mutation(({ ctx, input }) => ctx.services.shares.create(ctx.scope, input)),
  revoke: orgProcedure.input(inputs.revokeShare).mutation(({ ctx, input }) => ctx.services.shares.revoke(ctx.scope, input)),
  /** Whoever has the token, with an account or without one. */
  open: publicProcedure.input(inputs.openShare).query(({ ctx, input }) => ctx.services.shares.open(input.token)),
})
