import { type inputs, OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import { AppError, isAppError, newId, notFound, upstreamNamespace } from '@slipway/core'
import {
  type CacheContents,
  cacheContents,
  createUpstream,
  deleteUpstream,
  emptyCache,
  findUpstreamById,
  isUniqueViolation,
  listUpstreams,
  shareUpstream,
  type Tx,
  type UpstreamWithShares,
  updateUpstream,
} from '@slipway/db'
import { RegistryClient } from '@slipway/oci'
import { INSIDE_TOO, OUTSIDE_ONLY, Outbound } from '@slipway/outbound'
import type { z } from 'zod'
import { audit } from '../audit'
import { type Deps, registryHost } from '../deps'
import { assertRunsHosts, mayRunHosts } from '../hosts/operator'
import type { Scope } from '../scope'
import type { UpstreamsService } from './service'

/** Credentials belong to the installation; the registry opens them with the same words. */
const OWNER = 'installation'
const TEST_MS = 10_000
const NOTHING: CacheContents = { repositories: 0, tags: 0, manifests: 0, blobs: 0, bytes: 0 }

export const createUpstreams = ({ db, sealer, config }: Pick<Deps, 'db' | 'sealer' | 'config'>): UpstreamsService => {
  const load = async (scope: Scope, id: string): Promise<UpstreamWithShares> => {
    await assertRunsHosts(db, scope)
    const found = await findUpstreamById(db, id)
    if (!found) throw notFound('upstream', 'UPSTREAM_NOT_FOUND')
    return found
  }
  const seal = (id: string, secret: string) => Uint8Array.from(sealer.seal(secret, { kind: 'upstream', organizationId: OWNER, id }))
  const share = async (tx: Tx, id: string, slugs: string[]) => {
    const found = await shareUpstream(tx, id, slugs)
    const missing = slugs.find((slug) => !found.includes(slug))
    if (missing === undefined) return
    throw new AppError({
      kind: 'not-found',
      code: 'ORGANIZATION_NOT_FOUND',
      message: `There is no organization ${missing} here. Check its name, as it stands in addresses and image names.`,
    })
  }

  return {
    async list(scope) {
      const mayManage = await mayRunHosts(db, scope)
      const rows = await listUpstreams(db, mayManage ? null : scope.organizationId)
      const kept = mayManage
        ? await cacheContents(
            db,
            rows.map(({ host }) => host),
          )
        : new Map<string, CacheContents>()
      return {
        mayManage,
        registryHost: registryHost(config),
        items: rows.map((row) => ({
          id: row.id,
          host: row.host,
          prefix: `${OWN_REGISTRY_HOST}/${upstreamNamespace(row.host)}`,
          enabled: row.enabled,
          credentials: row.secret !== null,
          managed: mayManage ? managed(row, kept.get(upstreamNamespace(row.host)) ?? NOTHING) : null,
        })),
      }
    },

    async create(scope, { host, secret, shares, ...input }) {
      await assertRunsHosts(db, scope)
      assertOther(config, host, input.url)
      const id = newId('upstream')
      const sealed = secret ? seal(id, secret) : null
      try {
        await db.$transaction(async (tx) => {
          await createUpstream(tx, { ...columns(input, sealed), id, host })
          await share(tx, id, sealed ? shares : [])
          await audit(tx, scope, 'upstream.add', { type: 'upstream', id, label: host }, { url: input.url })
        })
      } catch (cause) {
        if (!isUniqueViolation(cause)) throw cause
        throw new AppError({
          kind: 'conflict',
          code: 'UPSTREAM_EXISTS',
          message: `${host} is set up already. Change that one.`,
          cause,
        })
      }
      return { id }
    },

    async update(scope, { id, secret, shares, ...input }) {
      const before = await load(scope, id)
      assertOther(config, before.host, input.url)
      // A password must not be sent to another place than it was given for.
      const kept = secret === undefined ? before.secret : null
      if (kept && input.url !== before.url)
        throw new AppError({
          kind: 'bad-input',
          code: 'UPSTREAM_SECRET_NEEDED',
          message: 'The address is another one now. Enter the password or token again, or remove it.',
          details: { field: 'secret' },
        })
      const sealed = secret ? seal(id, secret) : kept
      await db.$transaction(async (tx) => {
        // What credentials have let in is not what everybody may read.
        if (before.secret && !sealed) await emptyCache(tx, before.host)
        await updateUpstream(tx, id, columns(input, sealed))
        await share(tx, id, sealed ? shares : [])
        const after: Record<string, unknown> = columns(input, sealed)
        const changed: string[] = CHANGEABLE.filter((key) => after[key] !== plain(before[key]))
        const data = { changed: secret === undefined ? changed : [...changed, 'secret'], shares }
        await audit(tx, scope, 'upstream.change', { type: 'upstream', id, label: before.host }, data)
      })
      return { id }
    },

    async remove(scope, { id }) {
      const row = await load(scope, id)
      await db.$transaction(async (tx) => {
        await deleteUpstream(tx, id)
        await emptyCache(tx, row.host)
        await audit(tx, scope, 'upstream.remove', { type: 'upstream', id, label: row.host })
      })
      return { id }
    },

    async empty(scope, { id }) {
      const row = await load(scope, id)
      const kept = (await cacheContents(db, [row.host])).get(upstreamNamespace(row.host)) ?? NOTHING
      await db.$transaction(async (tx) => {
        await emptyCache(tx, row.host)
        await audit(tx, scope, 'upstream.empty', { type: 'upstream', id, label: row.host }, { ...kept })
      })
      return { bytes: kept.bytes }
    },

    async test(scope, input) {
      const before = input.id === undefined ? null : await load(scope, input.id)
      if (!before) await assertRunsHosts(db, scope)
      // The kept password goes to its own address only.
      const kept = before?.secret && input.secret === undefined && before.url === input.url ? before : null
      const password =
        input.secret ?? (kept?.secret ? sealer.open(kept.secret, { kind: 'upstream', organizationId: OWNER, id: kept.id }) : undefined)
      return tryOut(input, password)
    },
  }
}

const CHANGEABLE = ['url', 'enabled', 'username', 'allowPrivate', 'anonymous', 'limitBytes', 'revalidateMinutes'] as const
const plain = (value: unknown) => (typeof value === 'bigint' ? Number(value) : value)

type Settings = Pick<
  z.infer<typeof inputs.updateUpstream>,
  'url' | 'enabled' | 'username' | 'allowPrivate' | 'anonymous' | 'limitBytes' | 'revalidateMinutes'
>

/** What a form says, as the row has it; field by field, since a procedure's input holds the organization, too. */
const columns = (
  { url, enabled, username, allowPrivate, anonymous, limitBytes, revalidateMinutes }: Settings,
  secret: Uint8Array<ArrayBuffer> | null,
) => ({
  url,
  enabled,
  username: username || null,
  secret,
  allowPrivate,
  // Nobody reads without a login what our credentials let in.
  anonymous: anonymous && secret === null,
  limitBytes,
  revalidateMinutes,
})

async function tryOut(
  { url, username, allowPrivate }: { url: string; username: string; allowPrivate: boolean },
  password: string | undefined,
): Promise<views.UpstreamTestView> {
  const outbound = new Outbound({ inside: allowPrivate ? INSIDE_TOO : OUTSIDE_ONLY, headMs: TEST_MS, idleMs: TEST_MS })
  const client = new RegistryClient({
    baseUrl: url,
    timeoutMs: TEST_MS + 1000,
    fetch: outbound.fetch,
    ...(password === undefined ? {} : { credentials: { username, password } }),
  })
  const since = Date.now()
  try {
    await client.ping()
    return { problem: null, milliseconds: Date.now() - since }
  } catch (error) {
    if (!isAppError(error) || error.kind === 'internal') throw error
    return { problem: error.message, milliseconds: Date.now() - since }
  } finally {
    outbound.close()
  }
}

/** A cache of itself would ask itself without end. */
function assertOther(config: Deps['config'], host: string, url: string): void {
  const own = new URL(config.registryUrl).host
  if (host !== OWN_REGISTRY_HOST && new URL(url).host !== own && host !== registryHost(config)) return
  throw new AppError({
    kind: 'bad-input',
    code: 'UPSTREAM_IS_THIS',
    message: 'This is the installation’s own registry, which needs no cache of itself. Write another registry’s address.',
  })
}

const managed = (row: UpstreamWithShares, kept: CacheContents): views.ManagedUpstream => ({
  url: row.url,
  username: row.username ?? '',
  allowPrivate: row.allowPrivate,
  anonymous: row.anonymous,
  limitBytes: Number(row.limitBytes),
  revalidateMinutes: row.revalidateMinutes,
  shares: row.shares.map(({ organization }) => organization),
  kept,
  hits: Number(row.hits),
  misses: Number(row.misses),
  fetchedBytes: Number(row.fetchedBytes),
  lastContactAt: row.lastContactAt,
  lastError: row.lastError && row.lastErrorAt ? { message: row.lastError, at: row.lastErrorAt } : null,
})
