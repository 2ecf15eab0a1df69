/**
 * Takes: a BuildPlan and its context.
 * Gives: an image on the host under the given tags; steps and logs on the way.
 */
import type { BuildSecrets } from '@slipway/agent-client'
import type { BuildEvent, BuildRequest } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import type { Deps } from '../deps'
import { withAgent } from './agent-back'
import { contextEntries } from './context'
import type { Planned } from './plan'
import type { BuildRecorder } from './recorder'

export type BuildResult = Extract<BuildEvent, { type: 'result' }>

export function execute(
  deps: Deps,
  request: BuildRequest,
  planned: Planned,
  recorder: BuildRecorder,
  signal: AbortSignal,
  secrets: BuildSecrets,
): Promise<BuildResult> {
  const run = async () => {
    await recorder.begin(planned.plan)
    return once(deps, request, planned, recorder, signal, secrets)
  }
  // What was built before the agent went away is in its cache.
  return withAgent(deps, signal, run, () => recorder.say('The container engine was restarted; the build goes on from its cache.'))
}

async function once(
  deps: Deps,
  request: BuildRequest,
  planned: Planned,
  recorder: BuildRecorder,
  signal: AbortSignal,
  secrets: BuildSecrets,
): Promise<BuildResult> {
  for await (const event of deps.agent.build(request, contextEntries(...planned.sent), signal, secrets)) {
    await recorder.event(event)
    if (event.type === 'result') return event
    if (event.type === 'error') throw buildError(event, planned, recorder)
  }
  throw new AppError({
    kind: 'unavailable',
    code: 'AGENT_UNREACHABLE',
    message: 'The container engine broke off the build. It is tried again.',
  })
}

function buildError(event: Extract<BuildEvent, { type: 'error' }>, planned: Planned, recorder: BuildRecorder): AppError {
  const position = recorder.position(event.vertex)
  const vertex = planned.plan.vertices.find((v) => v.id === event.vertex)
  return new AppError({
    kind: event.code === 'INTERNAL' ? 'internal' : 'bad-input',
    code: event.code,
    message: event.message,
    details: {
      ...(vertex && { line: vertex.line, instruction: vertex.instruction.slice(0, 300) }),
      ...(position !== undefined && { step: position, lastLines: recorder.tail(position) }),
      ...(event.exitCode !== undefined && { exitCode: event.exitCode }),
    },
  })
}
