import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@slipway/core'
import type { Deps } from '../deps'

/** An agent that was killed is back within seconds; its supervisor waits longer only when it dies again and again. */
const BACK_MS = 45_000
const ATTEMPTS = 3

export const isAgentAway = (error: unknown) => error instanceof AppError && error.code === 'AGENT_UNREACHABLE'

/**
 * Runs what needs the agent, again when the agent went away meanwhile: `run` must be safe to repeat. `onAway` hears of
 * it before the wait. What fails for another reason, or a third time, is thrown as it is.
 */
export async function withAgent<T>(deps: Deps, signal: AbortSignal, run: () => Promise<T>, onAway?: () => unknown): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (!isAgentAway(error) || attempt >= ATTEMPTS || signal.aborted) throw error
      deps.log.warn({ err: error }, 'the agent went away; going on when it is back')
      await onAway?.()
      await agentBack(deps, signal)
    }
  }
}

async function agentBack(deps: Deps, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + BACK_MS
  while (Date.now() < deadline) {
    signal.throwIfAborted()
    try {
      await deps.agent.health()
      return
    } catch {
      await sleep(200) // it is being restarted; the deadline above ends this
    }
  }
}
