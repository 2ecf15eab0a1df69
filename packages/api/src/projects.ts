import { inputs } from '@slipway/contracts'
import { orgProcedure, router } from './trpc'

export const projectsRouter = router({
  list: orgProcedure.query(({ ctx }) => ctx.services.projects.list(ctx.scope)),
  create: orgProcedure.input(inputs.createProject).mutation(({ ctx, input }) => ctx.services.projects.create(ctx.scope, input)),
})
