import { inputs } from '@slipway/contracts'
import { orgProcedure, router } from './trpc'

export const robotsRouter = router({
  list: orgProcedure.query(({ ctx }) => ctx.services.robots.list(ctx.scope)),
  create: orgProcedure.input(inputs.createRobot).mutation(({ ctx, input }) => ctx.services.robots.create(ctx.scope, input)),
  update: orgProcedure.input(inputs.updateRobot).mutation(({ ctx, input }) => ctx.services.robots.update(ctx.scope, input)),
  rotate: orgProcedure.input(inputs.robot).mutation(({ ctx, input }) => ctx.services.robots.rotate(ctx.scope, input)),
  delete: orgProcedure.input(inputs.robot).mutation(({ ctx, input }) => ctx.services.robots.delete(ctx.scope, input)),
})
