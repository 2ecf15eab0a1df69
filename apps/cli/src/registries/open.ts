/** The registry behind an image's name: its address, and the login to it. */
import { DOCKER_HUB, type Reference, RegistryClient, type RegistryCredentials } from '@slipway/oci'
import type { Side } from '@slipway/oci/copy'
import { INSIDE_TOO, Outbound } from '@slipway/outbound'
import { CliError, EXIT } from '../errors'
import type { Session } from '../session'
import { dockerLogin } from './docker-config'

/** Of our own registry, whatever its address. */
const OWN = 'slipway.local'
const HUB_URL = 'https://registry-1.docker.io'
/** A registry may hash gigabytes before it says that it has them. */
const HEAD_MS = 120_000

export interface OpenRegistry extends Side {
  close(): void
}

/** `plain`: hosts that are spoken with without encryption; this machine's own always are. */
export async function openRegistry(session: Session, { registry, repository }: Reference, plain: readonly string[]): Promise<OpenRegistry> {
  const { baseUrl, credentials } = registry === OWN ? await ownRegistry(session, repository) : await otherRegistry(session, registry, plain)
  // A name that leads to a cloud's metadata is a mistake, whoever types it.
  const outbound = new Outbound({ inside: INSIDE_TOO, headMs: HEAD_MS, idleMs: 60_000 })
  const client = new RegistryClient({
    baseUrl,
    fetch: outbound.fetch,
    timeoutMs: HEAD_MS,
    signal: session.signal,
    ...(credentials && { credentials }),
  })
  return { client, repository, close: () => outbound.close() }
}

/** `slipway.local/<org>/…`: of the server that is signed in to, with its API key. */
async function ownRegistry(session: Session, repository: string): Promise<{ baseUrl: string; credentials: RegistryCredentials }> {
  const { url, apiKey, client } = await session.connect()
  const org = repository.split('/')[0] ?? ''
  if (!repository.includes('/'))
    throw new CliError(EXIT.usage, 'USAGE', `${OWN}/${repository} has no organization.`, `Write ${OWN}/<organization>/<name>.`)
  const { registryHost } = await client.upstreams.list.query({ org })
  const secure = url.startsWith('https:') && !isLoopback(registryHost)
  return { baseUrl: `${secure ? 'https' : 'http'}://${registryHost}`, credentials: { username: 'slipway', password: apiKey } }
}

async function otherRegistry(session: Session, registry: string, plain: readonly string[]) {
  const credentials = (await dockerLogin(session.env.dockerConfigPath, registry)) ?? (await ownLogin(session, registry))
  if (registry === DOCKER_HUB) return { baseUrl: HUB_URL, credentials }
  const scheme = isLoopback(registry) || plain.includes(registry) ? 'http' : 'https'
  return { baseUrl: `${scheme}://${registry}`, credentials }
}

/** The registry of the server that is signed in to, under its real address: the server itself says which that is. */
async function ownLogin(session: Session, registry: string): Promise<RegistryCredentials | undefined> {
  const url = await session.url()
  const saved = await session.saved()
  if (!session.env.apiKey && saved?.url !== url) return undefined
  if (new URL(`http://${registry}`).hostname !== new URL(url).hostname) return undefined
  const { apiKey, client } = await session.connect()
  const { registryHost } = await client.upstreams.list.query({ org: await session.org() })
  return registryHost === registry ? { username: 'slipway', password: apiKey } : undefined
}

const isLoopback = (host: string) => /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i.test(host)
