import { inputs } from '@slipway/contracts'
import { publicProcedure, router } from './trpc'

export const setupRouter = router({
  status: publicProcedure.query(({ ctx }) => ctx.services.setup.status()),
  /** Signs the new account in at once: answers with the session's cookies. */
  create: publicProcedure.input(inputs.setup).mutation(async ({ ctx, input }) => {
    const created = await ctx.services.setup.create(input, ctx.ip)
    if (ctx.responseHeaders) {
      for (const cookie of await ctx.services.auth.signIn(input.email, input.password, ctx.headers))
        ctx.responseHeaders.append('set-cookie', cookie)
    }
    return created
  }),
})
