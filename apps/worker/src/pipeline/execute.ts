/**
 * Takes: a BuildPlan and its context.
 * Gives: an image on the host under the given tags; steps and logs on the way.
 */
import type { BuildSecrets, BuildSshAgents } from '@slipway/agent-client'
import type { BuildEvent, BuildRequest } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { parseReference } from '@slipway/oci'
import type { Deps } from '../deps'
import { withAgent } from './agent-back'
import { giveContexts } from './context'
import { systemToken } from './images'
import type { Planned } from './plan'
import type { BuildRecorder } from './recorder'
import { withoutImport } from './shared-cache'

export type BuildResult = Extract<BuildEvent, { type: 'result' }>

/** What steps may ask for, by id: values, and SSH agents. */
export interface StepSecrets {
  buildSecrets: BuildSecrets
  ssh: BuildSshAgents
}

export async function execute(
  deps: Deps,
  request: BuildRequest,
  planned: Planned,
  recorder: BuildRecorder,
  signal: AbortSignal,
  secrets: StepSecrets,
): Promise<BuildResult> {
  let current = request
  const run = async () => {
    recorder.begin(planned.plan)
    return once(deps, current, planned, recorder, signal, secrets)
  }
  // What was built before the agent went away is in its cache.
  const build = () =>
    withAgent(deps, signal, run, () => recorder.say('The container engine was restarted; the build goes on from its cache.'))
  try {
    return await build()
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'CACHE_LOST' && current.cache?.from)) throw error
    current = withoutImport(current)
    await recorder.say('A result in the registry’s build cache cannot be used; building without that cache.')
    return await build()
  }
}

async function once(
  deps: Deps,
  request: BuildRequest,
  planned: Planned,
  recorder: BuildRecorder,
  signal: AbortSignal,
  secrets: StepSecrets,
): Promise<BuildResult> {
  const [token, given] = [await cacheToken(deps, request), await giveContexts(deps.agent, request.scope, planned.sent, signal)]
  const contexts = { ...given.contexts, ...planned.given }
  const asked = { ...request, ...given, contexts }
  for await (const event of deps.agent.build(asked, signal, secrets.buildSecrets, token, secrets.ssh)) {
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

/** For the repository that the request's caches lie in, and no other. */
function cacheToken(deps: Deps, { cache }: BuildRequest): Promise<string> | undefined {
  const reference = cache?.to?.reference ?? cache?.from?.[0]
  if (reference === undefined) return undefined
  const { repository } = parseReference(reference)
  return systemToken(deps, [{ type: 'repository', name: repository, actions: cache?.to ? ['pull', 'push'] : ['pull'] }])
}

function buildError(event: Extract<BuildEvent, { type: 'error' }>, planned: Planned, recorder: BuildRecorder): AppError {
  const position = recorder.position(event.vertex)
  const vertex = planned.plan.vertices.find((v) => v.id === event.vertex)
  return new AppError({
    kind: event.code === 'INTERNAL' ? 'internal' : 'bad-input',
    code: event.code,
    message: event.message,
    details: {
      ...(vertex && { file: planned.file, line: vertex.line, instruction: vertex.instruction.slice(0, 300) }),
      ...(position !== undefined && { step: position, lastLines: recorder.tail(position) }),
      ...(event.exitCode !== undefined && { exitCode: event.exitCode }),
    },
  })
}
