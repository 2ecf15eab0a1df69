/**
 * Brings a damaged or lost blob back from where rules of replication have put a copy of it, or have brought it from: the last who are
 * asked before a blob counts as lost. The digest is checked by the store, as of any push.
 */
import { nameAtSource, newId, replicatedName, replicatesRepository } from '@slipway/core'
import { commitBlob, type Db, findBlob, type ReplicationRuleRow, replicasOfBlob } from '@slipway/db'
import { RegistryClient, type RegistryCredentials } from '@slipway/oci'
import { INSIDE_TOO, OUTSIDE_ONLY, Outbound } from '@slipway/outbound'
import type { Sealer } from '@slipway/secrets'
import type { Logger } from 'pino'
import type { BlobStore } from '../store/store'

/** Repositories that link the blob; those of one organization have the same rules, mostly. */
const MAX_LINKS = 20
/** Places that are asked before the blob is given up. */
const MAX_ASKED = 10
const HEAD_MS = 15_000
/** From the call to the last byte: clients wait for the blob meanwhile, and its rule may be of whoever links it. */
const LEAST_MS = 60_000
const LEAST_BYTES_PER_SECOND = 256 * 1024

export interface ReplicasOptions {
  db: Db
  store: BlobStore
  log: Logger
  busyUploads: Set<string>
  /** Opens credentials; without it, rules that have some are passed over. */
  sealer?: Sealer | undefined
}

/** True: the bytes are back in the store, under their digest. */
export async function fetchFromReplica(options: ReplicasOptions, digest: string): Promise<boolean> {
  const blob = await findBlob(options.db, digest)
  if (!blob) return false
  let asked = 0
  for (const { rule, repository } of await replicasOfBlob(options.db, digest, MAX_LINKS)) {
    const name = nameThere(rule, repository.name)
    if (name === undefined || asked++ >= MAX_ASKED) continue
    try {
      await fetchBlob(options, rule, { name, repositoryId: repository.id, digest, size: Number(blob.size) })
      options.log.info({ digest, rule: rule.id, from: name }, 'a damaged blob was fetched from a replica')
      return true
    } catch (error) {
      options.log.warn({ err: error, digest, rule: rule.id }, 'a replica could not give a damaged blob back')
    }
  }
  return false
}

/** What the repository is called on the other side; undefined: the rule is not about it. */
function nameThere(rule: ReplicationRuleRow, name: string): string | undefined {
  if (rule.direction === 'pull') return nameAtSource(rule, name)
  return replicatesRepository(rule, name) ? replicatedName(rule, name) : undefined
}

interface Wanted {
  name: string
  repositoryId: string
  digest: string
  size: number
}

async function fetchBlob({ db, store, sealer, busyUploads }: ReplicasOptions, rule: ReplicationRuleRow, wanted: Wanted): Promise<void> {
  const { name, repositoryId, digest, size } = wanted
  const outbound = new Outbound({ inside: rule.inside ? INSIDE_TOO : OUTSIDE_ONLY, headMs: HEAD_MS })
  const credentials = credentialsOf(rule, sealer)
  const signal = AbortSignal.timeout(LEAST_MS + Math.ceil((size / LEAST_BYTES_PER_SECOND) * 1000))
  const client = new RegistryClient({
    baseUrl: rule.remote,
    fetch: outbound.fetch,
    timeoutMs: HEAD_MS,
    signal,
    ...(credentials && { credentials }),
  })
  const uploadId = newId('upload')
  busyUploads.add(uploadId)
  try {
    const body = await client.streamBlob(name, digest)
    const stored = await store.append(uploadId, body as unknown as AsyncIterable<Uint8Array>, size)
    await store.seal(uploadId, digest)
    await commitBlob(db, { repositoryId, digest, size: stored, place: () => store.place(uploadId, digest) })
  } finally {
    await store.discard(uploadId)
    busyUploads.delete(uploadId)
    outbound.close()
  }
}

function credentialsOf(
  { id, organizationId, username, password }: ReplicationRuleRow,
  sealer: Sealer | undefined,
): RegistryCredentials | undefined {
  if (!password) return undefined
  if (!sealer) throw new Error('there is no master key to open the credentials with')
  return { username: username ?? '', password: sealer.open(password, { kind: 'replication', organizationId, id }) }
}
