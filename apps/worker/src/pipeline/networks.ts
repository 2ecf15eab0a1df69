/**
 * Hop 7: the network of an organization. Its apps run in it and in no other, so that containers of different organizations
 * cannot reach each other; the router, on the host, reaches all. See docs/adr/0005.
 */
import { createHash } from 'node:crypto'
import { type Agent, engineStatus } from '@slipway/agent-client'

/** On the network, with the organization's id. */
const LABEL = 'slipway.organization'
/** A network this young may be ahead of its first container. */
const GRACE_MS = 60_000

/** Made of the id, which never changes, and of nothing that a user writes. */
export const networkName = (organizationId: string) => `slipway-${createHash('sha256').update(organizationId).digest('hex').slice(0, 16)}`

/** Makes the organization's network unless it is there, and gives its name. */
export async function ensureNetwork({ docker }: Pick<Agent, 'docker'>, organizationId: string): Promise<string> {
  const name = networkName(organizationId)
  try {
    await docker.getNetwork(name).inspect()
  } catch (error) {
    if (engineStatus(error) !== 404) throw error
    await docker.createNetwork({ Name: name, CheckDuplicate: true, Labels: { [LABEL]: organizationId } }).catch((failed) => {
      if (engineStatus(failed) !== 409) throw failed // another deployment was first
    })
  }
  return name
}

/** Does what needs the network; once more when it was removed a moment before, with the organization's last container. */
export async function inNetwork<T>(agent: Pick<Agent, 'docker'>, organizationId: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    // 404 at a start, 400 at a creation, where 404 means the image. Whatever else it was, it fails once more.
    if (![400, 404].includes(engineStatus(error) ?? 0)) throw error
    await ensureNetwork(agent, organizationId)
    return await work()
  }
}

/** Removes networks of organizations that have no container on this host any more, running or not. */
export async function removeUnusedNetworks({ docker }: Pick<Agent, 'docker'>, graceMs = GRACE_MS): Promise<void> {
  const networks = await docker.listNetworks({ filters: JSON.stringify({ label: [LABEL] }) })
  const old = networks.filter((network) => Date.now() - Date.parse(network.Created) >= graceMs)
  if (old.length === 0) return
  const containers = await docker.listContainers({ all: true })
  const used = new Set(containers.flatMap((container) => Object.keys(container.NetworkSettings.Networks)))
  for (const network of old) {
    if (used.has(network.Name)) continue
    await docker
      .getNetwork(network.Id)
      .remove()
      .catch((error) => {
        if (![403, 404].includes(engineStatus(error) ?? 0)) throw error // a container came, or another was first
      })
  }
}
