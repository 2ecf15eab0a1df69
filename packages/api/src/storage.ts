import { inputs } from '@slipway/contracts'
import { orgProcedure, router } from './trpc'

export const storageRouter = router({
  get: orgProcedure.query(({ ctx }) => ctx.services.storage.get(ctx.scope)),
  repositories: orgProcedure
    .input(inputs.storageRepositories)
    .query(({ ctx, input }) => ctx.services.storage.repositories(ctx.scope, input)),
  collectable: orgProcedure.query(({ ctx }) => ctx.services.storage.collectable(ctx.scope)),
  installation: orgProcedure.query(({ ctx }) => ctx.services.storage.installation(ctx.scope)),
  verify: orgProcedure.input(inputs.startVerification).mutation(({ ctx, input }) => ctx.services.storage.verify(ctx.scope, input)),
  verification: orgProcedure.input(inputs.verification).query(({ ctx, input }) => ctx.services.storage.verification(ctx.scope, input)),
  cancelVerification: orgProcedure
    .input(inputs.verification)
    .mutation(({ ctx, input }) => ctx.services.storage.cancelVerification(ctx.scope, input)),
})
