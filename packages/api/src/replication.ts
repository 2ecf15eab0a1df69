import { inputs } from '@slipway/contracts'
import { orgProcedure, router } from './trpc'

export const replicationRouter = router({
  list: orgProcedure.query(({ ctx }) => ctx.services.replication.list(ctx.scope)),
  create: orgProcedure.input(inputs.createReplication).mutation(({ ctx, input }) => ctx.services.replication.create(ctx.scope, input)),
  update: orgProcedure.input(inputs.updateReplication).mutation(({ ctx, input }) => ctx.services.replication.update(ctx.scope, input)),
  delete: orgProcedure.input(inputs.replication).mutation(({ ctx, input }) => ctx.services.replication.delete(ctx.scope, input)),
  test: orgProcedure.input(inputs.testReplication).mutation(({ ctx, input }) => ctx.services.replication.test(ctx.scope, input)),
  run: orgProcedure.input(inputs.replication).mutation(({ ctx, input }) => ctx.services.replication.run(ctx.scope, input)),
  cancel: orgProcedure.input(inputs.cancelReplication).mutation(({ ctx, input }) => ctx.services.replication.cancel(ctx.scope, input)),
  runs: orgProcedure.input(inputs.listReplicationRuns).query(({ ctx, input }) => ctx.services.replication.runs(ctx.scope, input)),
  runOf: orgProcedure.input(inputs.replicationRun).query(({ ctx, input }) => ctx.services.replication.runOf(ctx.scope, input)),
  items: orgProcedure.input(inputs.listReplicationItems).query(({ ctx, input }) => ctx.services.replication.items(ctx.scope, input)),
})
