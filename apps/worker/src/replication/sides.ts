/** Both sides of a rule: the other registry behind the guard, and our own, through its API as everybody else. */
import { replicatedName, replicatesRepository } from '@slipway/core'
import { type ReplicationRuleRow, repositoriesLinking } from '@slipway/db'
import { RegistryClient, signRegistryToken, type TokenAccess } from '@slipway/oci'
import type { Side } from '@slipway/oci/copy'
import { INSIDE_TOO, Outbound } from '@slipway/outbound'
import { credentialsOf, openRemote } from '@slipway/services'
import type { ReplicationDeps } from './run'

const TOKEN_TTL_SECONDS = 10 * 60
const OWN_DEADLINES = { headMs: 120_000, idleMs: 60_000 }
/** Blobs of one run whose place at the target is remembered. */
const MAX_REMEMBERED = 50_000
/** Repositories here that may have their like at the target. */
const MOUNT_CANDIDATES = 20

export interface Sides {
  remote: RegistryClient
  source(name: string): Side
  target(name: string): Side
  /** For mounts: a repository of the target that has a blob, as far as can be told from here. */
  holderOf(target: string): (digest: string) => Promise<string | undefined>
  remember(digest: string, target: string): void
  close(): void
}

export type Rule = ReplicationRuleRow & { organization: { slug: string } }

export function openSides(deps: ReplicationDeps, rule: Rule, signal: AbortSignal): Sides {
  const { slug } = rule.organization
  const remote = openRemote({ remote: rule.remote, inside: rule.inside, credentials: credentialsOf(rule, deps.sealer) }, signal)
  // Our own address is inside by its nature; nobody but us writes it.
  const outbound = new Outbound({ inside: INSIDE_TOO, ...OWN_DEADLINES })
  const own = new RegistryClient({
    baseUrl: deps.env.SLIPWAY_REGISTRY_URL,
    fetch: outbound.fetch,
    timeoutMs: OWN_DEADLINES.headMs,
    credentials: { bearer: (scope) => ownToken(deps, slug, scope) },
    signal,
  })
  const ours = (name: string): Side => ({ client: own, repository: `${slug}/${name}` })
  const theirs = (name: string): Side => ({ client: remote.client, repository: name })
  const [source, target] = rule.direction === 'push' ? [ours, theirs] : [theirs, ours]
  const remembered = new Map<string, string>()
  return {
    remote: remote.client,
    source,
    target,
    holderOf: (name) => async (digest) => {
      const here = remembered.get(digest)
      if (here !== undefined) return target(here).repository
      const linking = await repositoriesLinking(deps.db, rule.organizationId, digest, MOUNT_CANDIDATES)
      const names =
        rule.direction === 'pull'
          ? linking
          : linking.filter((one) => replicatesRepository(rule, one)).map((one) => replicatedName(rule, one))
      const other = names.find((one) => one !== name)
      return other === undefined ? undefined : target(other).repository
    },
    remember(digest, name) {
      if (remembered.size < MAX_REMEMBERED) remembered.set(digest, name)
    },
    close() {
      remote.close()
      outbound.close()
    },
  }
}

/** Exactly what is asked for, and in this organization only: links, limits, rules of tags and events hold as for everybody. */
async function ownToken({ env }: ReplicationDeps, slug: string, scope: string): Promise<string> {
  const access = scope.split(' ').map((one): TokenAccess => {
    const [, name = '', actions = ''] = /^repository:([^:]+):([a-z,]+)$/.exec(one) ?? []
    if (!name.startsWith(`${slug}/`)) throw new Error(`no token for ${one}`)
    return { type: 'repository', name, actions: actions.split(',').includes('push') ? ['pull', 'push'] : ['pull'] }
  })
  return signRegistryToken({ sub: 'system:replication', access, ttlSeconds: TOKEN_TTL_SECONDS }, env.registryKey)
}
