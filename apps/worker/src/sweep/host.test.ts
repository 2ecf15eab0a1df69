import type { Agent } from '@slipway/agent-client'
import type { BuildPolicy } from '@slipway/contracts'
import { createHarness, type Harness } from '@slipway/services/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Deps } from '../deps'
import { bringBuildPolicy } from './host'

let h: Harness
beforeAll(async () => {
  h = await createHarness()
})
afterAll(() => h.close())

it('brings the build policy of the row to an agent that has another, and only then', async () => {
  let has: BuildPolicy = { maxBytes: 1 }
  const brought: BuildPolicy[] = []
  const agent = {
    buildPolicy: async () => ({ set: { keepDays: null, ...has } }),
    setBuildPolicy: async (policy: BuildPolicy) => {
      has = policy
      brought.push(policy)
    },
  } as unknown as Agent
  const deps = { db: h.db, agent, hostId: 'host_1', log: { info: () => undefined } } as unknown as Deps
  await bringBuildPolicy(deps)
  await h.db.host.create({ data: { id: 'host_1', name: 'one' } })
  await bringBuildPolicy(deps)
  expect(brought, 'never set in the panel: the settings file applies').toEqual([])
  const policy = { maxBytes: 5_000_000_000, unusedDays: 7 }
  await h.db.host.update({ where: { id: 'host_1' }, data: { buildPolicy: policy } })
  await bringBuildPolicy(deps)
  await bringBuildPolicy(deps)
  expect(brought).toEqual([policy])
  has = {} // its data root was made anew
  await bringBuildPolicy(deps)
  expect(brought).toEqual([policy, policy])
  await h.db.host.update({ where: { id: 'host_1' }, data: { buildPolicy: {} } })
  await bringBuildPolicy(deps)
  expect(has, 'set back to what the host says').toEqual({})
})
