/**
 * Takes: folders, and what .dockerignore leaves out of each.
 * Gives: the trees of the build's contexts, which are on the build host then.
 */
import type { Agent } from '@slipway/agent-client'
import { giveContext, walkContext } from '@slipway/context'
import type { BuildRequest } from '@slipway/contracts'
import type { IgnoreMatcher } from '@slipway/dockerfile'

/** One file system to send; `name`: that of a named context, absent: the build context. */
export interface SentContext {
  name?: string
  root: string
  ignore: IgnoreMatcher
}

/** Of a build request. */
export type GivenContexts = Pick<BuildRequest, 'context' | 'contexts'>

/** Puts contexts onto the build host, which is sent what it has not. The limits hold for all of them together. */
export async function giveContexts(
  agent: Pick<Agent, 'contexts'>,
  scope: string,
  sent: SentContext[],
  signal: AbortSignal,
): Promise<GivenContexts> {
  const budget = { entries: 0, bytes: 0 }
  const given: GivenContexts & { contexts: Record<string, { tree: string }> } = { contexts: {} }
  for (const { name, root, ignore } of sent) {
    const context = await walkContext(root, ignore, signal, { budget })
    const tree = await giveContext(agent.contexts, scope, context, signal)
    if (name === undefined) given.context = { tree }
    else given.contexts[name] = { tree }
  }
  return given
}
