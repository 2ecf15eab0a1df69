import { inputs } from '@slipway/contracts'
import { identityProcedure, router, userProcedure } from './trpc'

export const meRouter = router({
  get: identityProcedure.query(({ ctx }) => ctx.services.organizations.me(ctx.identity)),
  logins: router({
    list: userProcedure.query(({ ctx }) => ctx.services.logins.list(ctx.identity.userId)),
    end: userProcedure.input(inputs.endLogin).mutation(({ ctx, input }) => ctx.services.logins.end(ctx.actor, input)),
  }),
  apiKeys: router({
    list: userProcedure.query(({ ctx }) => ctx.services.apiKeys.list(ctx.identity.userId)),
    create: userProcedure.input(inputs.createApiKey).mutation(({ ctx, input }) => ctx.services.apiKeys.create(ctx.actor, input)),
    revoke: userProcedure.input(inputs.revokeApiKey).mutation(({ ctx, input }) => ctx.services.apiKeys.revoke(ctx.actor, input)),
  }),
})
