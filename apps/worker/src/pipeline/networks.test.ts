import type { Agent } from '@slipway/agent-client'
import { expect, it } from 'vitest'
import { ensureNetwork, inNetwork, networkName, removeUnusedNetworks } from './networks'

const refused = (statusCode: number) => Object.assign(new Error(String(statusCode)), { statusCode })

/** As much of the engine as networks need, in memory. */
function engine() {
  const networks = new Map<string, { Name: string; Id: string; Created: string; Labels: Record<string, string> }>()
  const containers: { NetworkSettings: { Networks: Record<string, object> } }[] = []
  const find = (name: string) => networks.get(name) ?? [...networks.values()].find((network) => network.Id === name)
  const docker = {
    getNetwork: (name: string) => ({
      inspect: async () => find(name) ?? Promise.reject(refused(404)),
      remove: async () => {
        const found = find(name)
        if (!found) throw refused(404)
        networks.delete(found.Name)
      },
    }),
    createNetwork: async ({ Name, Labels }: { Name: string; Labels: Record<string, string> }) => {
      if (networks.has(Name)) throw refused(409)
      networks.set(Name, { Name, Id: `id-${Name}`, Created: new Date().toISOString(), Labels })
    },
    listNetworks: async () => [...networks.values()],
    listContainers: async () => containers,
  }
  return { networks, containers, agent: { docker: docker as unknown as Agent['docker'] } }
}

it('names a network after the id alone', () => {
  expect(networkName('org_1')).toMatch(/^slipway-[0-9a-f]{16}$/)
  expect(networkName('org_1')).toBe(networkName('org_1'))
  expect(networkName('org_1')).not.toBe(networkName('org_2'))
})

it('is made once, by whichever deployment comes first', async () => {
  const { networks, agent } = engine()
  const names = await Promise.all([ensureNetwork(agent, 'a'), ensureNetwork(agent, 'a'), ensureNetwork(agent, 'b')])
  expect(names).toEqual([networkName('a'), networkName('a'), networkName('b')])
  expect([...networks.keys()].sort()).toEqual([networkName('a'), networkName('b')].sort())
  expect(networks.get(networkName('a'))?.Labels).toEqual({ 'slipway.organization': 'a' })
})

it('goes with the last container, and not while it is ahead of its first', async () => {
  const { networks, containers, agent } = engine()
  for (const id of ['used', 'unused']) await ensureNetwork(agent, id)
  containers.push({ NetworkSettings: { Networks: { [networkName('used')]: {} } } })
  await removeUnusedNetworks(agent)
  expect(networks.size).toBe(2)
  await removeUnusedNetworks(agent, 0)
  expect([...networks.keys()]).toEqual([networkName('used')])
})

it('is made again for who needs it when it was just removed', async () => {
  const { networks, agent } = engine()
  let calls = 0
  const work = async () => {
    calls += 1
    if (!networks.has(networkName('a'))) throw refused(404)
    return 'done'
  }
  expect(await inNetwork(agent, 'a', work)).toBe('done')
  expect(calls).toBe(2)
  await expect(inNetwork(agent, 'a', () => Promise.reject(refused(500)))).rejects.toMatchObject({ statusCode: 500 })
})
