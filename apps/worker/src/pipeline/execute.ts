/**
 * Takes: a BuildPlan and its context.
 * Gives: an image on the host under the given tags; steps and logs on the way.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { BuildEvent, BuildRequest } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import type { Deps } from '../deps'
import { contextEntries } from './context'
import type { Planned } from './plan'
import type { BuildRecorder } from './recorder'

export type BuildResult = Extract<BuildEvent, { type: 'result' }>

/** An agent that was killed is back within seconds; what it had built is in its cache. */
const AGENT_RETRIES = 3
const AGENT_BACK_MS = 30_000

export async function execute(
  deps: Deps,
  request: BuildRequest,
  planned: Planned,
  recorder: BuildRecorder,
  signal: AbortSignal,
): Promise<BuildResult> {
  for (let attempt = 1; ; attempt++) {
    await recorder.begin(planned.plan)
    try {
      return await once(deps, request, planned, recorder, signal)
    } catch (error) {
      const lost = error instanceof AppError && error.code === 'AGENT_UNREACHABLE'
      if (!lost || attempt >= AGENT_RETRIES || signal.aborted) throw error
      await recorder.say('The container engine was restarted; the build goes on from its cache.')
      await agentBack(deps, signal)
    }
  }
}

async function once(
  deps: Deps,
  request: BuildRequest,
  planned: Planned,
  recorder: BuildRecorder,
  signal: AbortSignal,
): Promise<BuildResult> {
  for await (const event of deps.agent.build(request, contextEntries(planned.contextRoot, planned.ignore), signal)) {
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

async function agentBack(deps: Deps, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + AGENT_BACK_MS
  while (Date.now() < deadline) {
    signal.throwIfAborted()
    try {
      await deps.agent.health()
      return
    } catch {
      await sleep(300) // it is being restarted; the deadline above ends this
    }
  }
}
