import type { Agent } from '@slipway/agent-client'
import { createTestDatabase } from '@slipway/testing'
import type { Deps } from '../../../apps/worker/src/deps'

/** As much of the worker as planning needs; it knows no other registries, so bases are what was loaded into the engine. */
export async function startWorkerDeps(): Promise<{ of: (agent: Agent) => Deps; stop: () => Promise<void> }> {
  const { db, drop } = await createTestDatabase()
  await db.upstream.deleteMany()
  return { of: (agent) => ({ agent, db }) as unknown as Deps, stop: drop }
}
