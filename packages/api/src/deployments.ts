import { channels, inputs } from '@slipway/contracts'
import { isDeploymentSettled } from '@slipway/core'
import type { z } from 'zod'
import { onlyChanges, stream } from './live'
import { appProcedure, type OrgCall, router } from './trpc'

export const deploymentsRouter = router({
  list: appProcedure.input(inputs.listDeployments).query(({ ctx, input }) => ctx.services.deployments.list(ctx.scope, input)),
  get: appProcedure.input(inputs.deployment).query(({ ctx, input }) => ctx.services.deployments.get(ctx.scope, input)),
  redeploy: appProcedure.input(inputs.redeploy).mutation(({ ctx, input }) => ctx.services.deployments.redeploy(ctx.scope, input, ctx.via)),
  rollback: appProcedure.input(inputs.rollback).mutation(({ ctx, input }) => ctx.services.deployments.rollback(ctx.scope, input, ctx.via)),
  cancel: appProcedure.input(inputs.deployment).mutation(({ ctx, input }) => ctx.services.deployments.cancel(ctx.scope, input)),
  watch: appProcedure.input(inputs.deployment).subscription((call) => stream(call, watchDeployment(call))),
})

/** Until the deployment is settled and its last hop (draining the one before it) is over. */
async function* watchDeployment({ ctx, input, signal }: OrgCall<z.infer<typeof inputs.deployment>>) {
  const { id } = await ctx.services.deployments.get(ctx.scope, input)
  yield* onlyChanges(
    ctx.services.changes.ticks(channels.deployment(id), signal),
    () => ctx.services.deployments.get(ctx.scope, input),
    (view) => isDeploymentSettled(view.state) && !view.hops.some((hop) => hop.state === 'running'),
  )
}
