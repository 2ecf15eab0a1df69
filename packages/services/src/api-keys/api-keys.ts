import { createHash, randomBytes } from 'node:crypto'
import type { views } from '@slipway/contracts'
import { notFound } from '@slipway/core'
import {
  type ApiKey,
  createApiKey,
  findMembership,
  listApiKeys,
  listMemberships,
  revokeApiKey,
  type Tx,
  useApiKey,
  writeAudit,
} from '@slipway/db'
import type { Deps } from '../deps'
import type { Actor } from '../scope'
import type { ApiKeysService } from '../services'

const KEY = /^slp_[A-Za-z0-9_-]{43}$/
const DAY_MS = 24 * 60 * 60 * 1000

/** A key has 256 random bits, so a plain hash is enough: there is nothing to guess. */
export const hashApiKey = (key: string) => createHash('sha256').update(key).digest('hex')

export const createApiKeys = ({ db }: Pick<Deps, 'db'>): ApiKeysService => ({
  async verify(key) {
    if (!KEY.test(key)) return null
    const found = await useApiKey(db, hashApiKey(key))
    if (!found) return null
    if (found.scope !== 'everything') return 'registry-only'
    const { name, email } = found.user
    return { userId: found.userId, name, email, via: 'apiKey', organization: found.organization?.slug ?? null }
  },

  list: async (userId) => (await listApiKeys(db, userId)).map(toView),

  async create(actor, input) {
    const userId = signedIn(actor)
    const key = `slp_${randomBytes(32).toString('base64url')}`
    const expiresAt = input.expiresInDays ? new Date(Date.now() + input.expiresInDays * DAY_MS) : null
    const row = await db.$transaction(async (tx) => {
      const membership = input.organization ? await findMembership(tx, input.organization, userId) : null
      if (input.organization && !membership) throw notFound('organization', 'ORGANIZATION_NOT_FOUND')
      const created = await createApiKey(tx, userId, {
        name: input.name,
        prefix: key.slice(4, 12),
        hash: hashApiKey(key),
        expiresAt,
        scope: input.scope ?? 'everything',
        organizationId: membership?.organizationId ?? null,
      })
      await auditEverywhere(tx, actor, userId, 'apiKey.create', created)
      return created
    })
    return { key, view: toView(row) }
  },

  async revoke(actor, input) {
    const userId = signedIn(actor)
    return db.$transaction(async (tx) => {
      const revoked = await revokeApiKey(tx, userId, input.id)
      if (!revoked) throw notFound('API key')
      await auditEverywhere(tx, actor, userId, 'apiKey.revoke', revoked)
      return toView(revoked)
    })
  },
})

function signedIn(actor: Actor): string {
  if (!actor.userId) throw notFound('account')
  return actor.userId
}

/** Each organization in which the key works sees that there is one. */
async function auditEverywhere(tx: Tx, actor: Actor, userId: string, action: string, key: ApiKey): Promise<void> {
  for (const { organizationId } of await listMemberships(tx, userId)) {
    if (key.organizationId !== null && key.organizationId !== organizationId) continue
    await writeAudit(tx, organizationId, {
      actorUserId: userId,
      actorLabel: actor.label,
      action,
      targetType: 'apiKey',
      targetId: key.id,
      targetLabel: key.name,
      ipAddress: actor.ip,
      data: { scope: key.scope },
    })
  }
}

type KeyRow = ApiKey & { organization: { slug: string } | null }

const toView = ({ id, name, prefix, createdAt, lastUsedAt, expiresAt, scope, organization }: KeyRow): views.ApiKeyView => ({
  id,
  name,
  prefix: `slp_${prefix}…`,
  createdAt,
  lastUsedAt,
  expiresAt,
  scope,
  organization: organization?.slug ?? null,
})
