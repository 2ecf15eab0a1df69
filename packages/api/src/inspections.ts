import { channels, inputs } from '@slipway/contracts'
import { isInspectionOver } from '@slipway/core'
import type { z } from 'zod'
import { onlyChanges, stream } from './live'
import { type OrgCall, orgProcedure, router } from './trpc'

export const inspectionsRouter = router({
  start: orgProcedure.input(inputs.startInspection).mutation(({ ctx, input }) => ctx.services.inspections.start(ctx.scope, input)),
  get: orgProcedure.input(inputs.inspection).query(({ ctx, input }) => ctx.services.inspections.get(ctx.scope, input)),
  cancel: orgProcedure.input(inputs.inspection).mutation(({ ctx, input }) => ctx.services.inspections.cancel(ctx.scope, input)),
  watch: orgProcedure.input(inputs.inspection).subscription((call) => stream(call, watchInspection(call))),
})

/** The look whenever something of it changed, until it is over. */
async function* watchInspection({ ctx, input, signal }: OrgCall<z.infer<typeof inputs.inspection>>) {
  const read = () => ctx.services.inspections.get(ctx.scope, input)
  const { id } = await read()
  yield* onlyChanges(ctx.services.changes.ticks(channels.inspection(id), signal), read, ({ state }) => isInspectionOver(state))
}
