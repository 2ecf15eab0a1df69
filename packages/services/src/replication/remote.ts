/** The other registry of a rule: guarded as upstreams are, logged in, with deadlines. */
import type { ReplicationRuleRow } from '@slipway/db'
import { RegistryClient, type RegistryCredentials } from '@slipway/oci'
import { INSIDE_TOO, OUTSIDE_ONLY, Outbound } from '@slipway/outbound'
import type { Sealer } from '@slipway/secrets'

export interface RemoteRegistry {
  client: RegistryClient
  /** Ends connections that are kept. */
  close(): void
}

export interface RemoteSettings {
  remote: string
  inside: boolean
  credentials?: RegistryCredentials | undefined
}

export interface RemoteDeadlines {
  headMs: number
  idleMs: number
}
/** A registry may hash gigabytes before it says that it has them. */
const DEADLINES: RemoteDeadlines = { headMs: 120_000, idleMs: 60_000 }

export function openRemote({ remote, inside, credentials }: RemoteSettings, signal?: AbortSignal, deadlines = DEADLINES): RemoteRegistry {
  const outbound = new Outbound({ inside: inside ? INSIDE_TOO : OUTSIDE_ONLY, ...deadlines })
  const client = new RegistryClient({
    baseUrl: remote,
    fetch: outbound.fetch,
    timeoutMs: deadlines.headMs + 1000,
    ...(credentials && { credentials }),
    ...(signal && { signal }),
  })
  return { client, close: () => outbound.close() }
}

export const sealedFor = (organizationId: string, id: string) => ({ kind: 'replication' as const, organizationId, id })

export function credentialsOf(
  rule: Pick<ReplicationRuleRow, 'id' | 'organizationId' | 'username' | 'password'>,
  sealer: Sealer,
): RegistryCredentials | undefined {
  if (!rule.password) return undefined
  return { username: rule.username ?? '', password: sealer.open(rule.password, sealedFor(rule.organizationId, rule.id)) }
}
