/**
 * Takes: a BuildPlan and its context.
 * Gives: an image on the host under the given tags; steps and logs on the way.
 */
import type { BuildSecrets, BuildSshAgents } from '@slipway/agent-client'
import type { BuildEvent, BuildRequest } from '@slipway/contracts'
import { AppError, isAppError } from '@slipway/core'
import { parseReference } from '@slipway/oci'
import type { Deps } from '../deps'
import { withAgent } from './agent-back'
import { giveContexts } from './context'
import type { Planned } from './plan'
import type { BuildRecorder } from './recorder'
import { exactImage, systemToken } from './registry-access'
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
  const { cache, token } = await openCache(deps, request.cache, signal)
  const given = await giveContexts(deps.agent, request.scope, planned.sent, signal)
  const contexts = { ...given.contexts, ...planned.given }
  const asked = { ...request, ...(cache && { cache }), ...given, contexts }
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

/**
 * A token for the repository that the build's caches lie in, and no other. One that leaves nothing there looks into what the tag
 * names now, and its token opens that alone. Nobody looks for a cache that is not left there yet.
 */
export async function openCache(
  deps: Deps,
  cache: BuildRequest['cache'],
  signal: AbortSignal,
): Promise<{ cache: BuildRequest['cache']; token: string | undefined }> {
  const name = cache?.to?.reference ?? cache?.from?.[0]
  if (name === undefined) return { cache, token: undefined }
  const { repository } = parseReference(name)
  const found = await exactImage(deps, { name, own: true, repositories: [repository] }, signal).catch((error: unknown) => {
    if (signal.aborted) throw signal.reason
    // What else is wrong the builder finds too, and says so in the build's log.
    return isAppError(error) && error.code === 'MANIFEST_UNKNOWN' ? null : undefined
  })
  const known = found === null ? { ...cache, from: [] } : cache
  if (cache?.to)
    return { cache: known, token: await systemToken(deps, [{ type: 'repository', name: repository, actions: ['pull', 'push'] }]) }
  return found ? { cache: { ...cache, from: [found.reference] }, token: found.token } : { cache: known, token: undefined }
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
