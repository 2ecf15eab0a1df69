import { channels, inputs } from '@slipway/contracts'
import { tracked } from '@trpc/server'
import * as z from 'zod'
import { onlyChanges, stream } from './live'
import { appProcedure, type OrgCall, orgProcedure, router } from './trpc'

export const appsRouter = router({
  list: orgProcedure.query(({ ctx }) => ctx.services.apps.list(ctx.scope)),
  get: appProcedure.input(inputs.app).query(({ ctx, input }) => ctx.services.apps.get(ctx.scope, input)),
  create: orgProcedure.input(inputs.createApp).mutation(({ ctx, input }) => ctx.services.apps.create(ctx.scope, input)),
  createExample: orgProcedure.input(inputs.createExample).mutation(({ ctx, input }) => ctx.services.apps.createExample(ctx.scope, input)),
  update: appProcedure.input(inputs.updateApp).mutation(({ ctx, input }) => ctx.services.apps.update(ctx.scope, input)),
  setDeployKey: appProcedure.input(inputs.setDeployKey).mutation(({ ctx, input }) => ctx.services.apps.setDeployKey(ctx.scope, input)),
  variables: appProcedure.input(inputs.app).query(({ ctx, input }) => ctx.services.apps.variables(ctx.scope, input)),
  setVariables: appProcedure.input(inputs.setVariables).mutation(({ ctx, input }) => ctx.services.apps.setVariables(ctx.scope, input)),
  webhook: appProcedure.input(inputs.app).query(({ ctx, input }) => ctx.services.webhooks.get(ctx.scope, input)),
  rotateWebhookSecret: appProcedure.input(inputs.app).mutation(({ ctx, input }) => ctx.services.webhooks.rotateSecret(ctx.scope, input)),
  stop: appProcedure.input(inputs.app).mutation(({ ctx, input }) => ctx.services.apps.stop(ctx.scope, input)),
  start: appProcedure.input(inputs.app).mutation(({ ctx, input }) => ctx.services.apps.start(ctx.scope, input)),
  delete: appProcedure.input(inputs.deleteApp).mutation(({ ctx, input }) => ctx.services.apps.delete(ctx.scope, input)),
  stats: appProcedure.input(inputs.app).query(({ ctx, input }) => ctx.services.apps.stats(ctx.scope, input)),
  watch: appProcedure.input(inputs.app).subscription((call) => stream(call, watchApp(call))),
  /** Batches of lines; each is tracked by the instant of its last line, so a reconnect resumes after it. */
  logs: appProcedure
    .input(inputs.appLogs.extend({ lastEventId: z.iso.datetime().nullish() }))
    .subscription((call) => stream(call, followLogs(call))),
})

async function* watchApp({ ctx, input, signal }: OrgCall<z.infer<typeof inputs.app>>) {
  const { id } = await ctx.services.apps.get(ctx.scope, input)
  yield* onlyChanges(ctx.services.changes.ticks(channels.app(id), signal), () => ctx.services.apps.get(ctx.scope, input))
}

async function* followLogs({ ctx, input, signal }: OrgCall<z.infer<typeof inputs.appLogs> & { lastEventId?: string | null }>) {
  const { lastEventId, ...rest } = input
  const since = lastEventId ? new Date(lastEventId) : null
  for await (const lines of ctx.services.apps.logs(ctx.scope, { ...rest, since }, signal ?? new AbortController().signal)) {
    const last = lines.at(-1)
    if (last) yield tracked(last.at.toISOString(), lines)
  }
}
