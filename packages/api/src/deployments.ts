import { channels, inputs } from '@slipway/contracts'
import { isDeploymentSettled } from '@slipway/core'
import { onlyChanges } from './live'
import { orgProcedure, router } from './trpc'

export const deploymentsRouter = router({
  list: orgProcedure.input(inputs.listDeployments).query(({ ctx, input }) => ctx.services.deployments.list(ctx.scope, input)),
  get: orgProcedure.input(inputs.deployment).query(({ ctx, input }) => ctx.services.deployments.get(ctx.scope, input)),
  redeploy: orgProcedure.input(inputs.redeploy).mutation(({ ctx, input }) => ctx.services.deployments.redeploy(ctx.scope, input, ctx.via)),
  rollback: orgProcedure.input(inputs.rollback).mutation(({ ctx, input }) => ctx.services.deployments.rollback(ctx.scope, input, ctx.via)),
  cancel: orgProcedure.input(inputs.deployment).mutation(({ ctx, input }) => ctx.services.deployments.cancel(ctx.scope, input)),
  /** Until the deployment is settled and its last hop (draining the one before it) is over. */
  watch: orgProcedure.input(inputs.deployment).subscription(async function* ({ ctx, input, signal }) {
    const { id } = await ctx.services.deployments.get(ctx.scope, input)
    yield* onlyChanges(
      ctx.services.changes.ticks(channels.deployment(id), signal),
      () => ctx.services.deployments.get(ctx.scope, input),
      (view) => isDeploymentSettled(view.state) && !view.hops.some((hop) => hop.state === 'running'),
    )
  }),
})
