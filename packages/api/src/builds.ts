import { channels, inputs, type views } from '@slipway/contracts'
import { isBuildOver } from '@slipway/core'
import { tracked } from '@trpc/server'
import * as z from 'zod'
import { stream } from './live'
import { appProcedure, maybeAppProcedure, type OrgCall, router } from './trpc'

const watchInput = inputs.buildLogs.extend({
  lastEventId: z
    .string()
    .regex(/^\d{1,9}$/)
    .nullish(),
})

export const buildsRouter = router({
  list: maybeAppProcedure.input(inputs.listBuilds).query(({ ctx, input }) => ctx.services.builds.list(ctx.scope, input)),
  get: appProcedure.input(inputs.build).query(({ ctx, input }) => ctx.services.builds.get(ctx.scope, input)),
  trigger: appProcedure.input(inputs.triggerBuild).mutation(({ ctx, input }) => ctx.services.builds.trigger(ctx.scope, input, ctx.via)),
  upload: appProcedure.input(inputs.uploadBuild).mutation(({ ctx, input }) => ctx.services.builds.upload(ctx.scope, input)),
  made: appProcedure.input(inputs.build).query(({ ctx, input }) => ctx.services.builds.made(ctx.scope, input)),
  cancel: appProcedure.input(inputs.build).mutation(({ ctx, input }) => ctx.services.builds.cancel(ctx.scope, input)),
  sshRequests: appProcedure
    .input(inputs.build)
    .subscription((call) => stream(call, call.ctx.services.builds.sshRequests(call.ctx.scope, call.input, call.signal))),
  sshAnswer: appProcedure.input(inputs.answerSsh).mutation(({ ctx, input }) => ctx.services.builds.sshAnswer(ctx.scope, input)),
  insights: appProcedure.input(inputs.build).query(({ ctx, input }) => ctx.services.builds.insights(ctx.scope, input)),
  logs: appProcedure.input(inputs.buildLogs).query(({ ctx, input }) => ctx.services.builds.logs(ctx.scope, input)),
  watch: appProcedure.input(watchInput).subscription((call) => stream(call, watchBuild(call))),
})

/** A successful build leads to its deployment a moment later; whoever watches wants to be told. */
const HANDOVER_MS = 10_000

const isWatched = ({ state, deploys, deployment, finishedAt }: views.BuildView): boolean =>
  isBuildOver(state) &&
  (state !== 'succeeded' || !deploys || deployment !== null || finishedAt === null || Date.now() - finishedAt.getTime() > HANDOVER_MS)

/**
 * The build and the log chunks after `after`, then both whenever they change, until the build is over, its log read to
 * the end, and its deployment made. Tracked by the last chunk's seq, so a reconnect resumes after it.
 */
async function* watchBuild({ ctx, input, signal }: OrgCall<z.infer<typeof watchInput>>) {
  const { lastEventId, ...at } = input
  let cursor = lastEventId ? Number(lastEventId) : at.after
  let before = ''
  const { id } = await ctx.services.builds.get(ctx.scope, at)
  for await (const _ of ctx.services.changes.ticks(channels.build(id), signal)) {
    for (;;) {
      // The build first: when it is over by then, the log read after it is complete.
      const build = await ctx.services.builds.get(ctx.scope, at)
      const logs = await ctx.services.builds.logs(ctx.scope, { ...at, after: cursor })
      const now = JSON.stringify(build)
      if (logs.length > 0 || now !== before) {
        before = now
        cursor = logs.at(-1)?.seq ?? cursor
        yield tracked(String(cursor), { build, logs })
      }
      if (signal?.aborted) return
      if (logs.length < at.limit) {
        if (isWatched(build)) return
        break
      }
    }
  }
}
