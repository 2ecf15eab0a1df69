import { inputs } from '@slipway/contracts'
import { orgProcedure, router } from './trpc'

export const outgoingRouter = router({
  list: orgProcedure.query(({ ctx }) => ctx.services.outgoing.list(ctx.scope)),
  create: orgProcedure.input(inputs.createOutgoing).mutation(({ ctx, input }) => ctx.services.outgoing.create(ctx.scope, input)),
  update: orgProcedure.input(inputs.updateOutgoing).mutation(({ ctx, input }) => ctx.services.outgoing.update(ctx.scope, input)),
  rotateSecret: orgProcedure.input(inputs.outgoing).mutation(({ ctx, input }) => ctx.services.outgoing.rotateSecret(ctx.scope, input)),
  delete: orgProcedure.input(inputs.outgoing).mutation(({ ctx, input }) => ctx.services.outgoing.delete(ctx.scope, input)),
  test: orgProcedure.input(inputs.outgoing).mutation(({ ctx, input }) => ctx.services.outgoing.test(ctx.scope, input)),
  deliveries: orgProcedure.input(inputs.listDeliveries).query(({ ctx, input }) => ctx.services.outgoing.deliveries(ctx.scope, input)),
  delivery: orgProcedure.input(inputs.outgoing).query(({ ctx, input }) => ctx.services.outgoing.delivery(ctx.scope, input)),
  redeliver: orgProcedure.input(inputs.outgoing).mutation(({ ctx, input }) => ctx.services.outgoing.redeliver(ctx.scope, input)),
})
