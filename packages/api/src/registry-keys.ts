import { orgProcedure, router } from './trpc'

export const registryKeysRouter = router({
  list: orgProcedure.query(({ ctx }) => ctx.services.registryKeys.list(ctx.scope)),
  rotate: orgProcedure.mutation(({ ctx }) => ctx.services.registryKeys.rotate(ctx.scope)),
})
