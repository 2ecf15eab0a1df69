import { newId } from '@slipway/core'
import type { Tx } from './client'
import type { ApiKeyScope } from './generated/client'

const WITH_ORGANIZATION = { organization: { select: { slug: true } } } as const

/** Keys are a user's own: every read and write names the user. */
export const listApiKeys = (db: Tx, userId: string) =>
  db.apiKey.findMany({ where: { userId, revokedAt: null }, include: WITH_ORGANIZATION, orderBy: { createdAt: 'desc' } })

export interface NewApiKey {
  name: string
  prefix: string
  hash: string
  expiresAt: Date | null
  scope: ApiKeyScope
  /** Null: it works in every organization of its user's. */
  organizationId: string | null
}

export const createApiKey = (tx: Tx, userId: string, data: NewApiKey) =>
  tx.apiKey.create({ data: { id: newId('apiKey'), userId, ...data }, include: WITH_ORGANIZATION })

/** The revoked key, or null when the user has no such live key. */
export async function revokeApiKey(tx: Tx, userId: string, id: string, now = new Date()) {
  const { count } = await tx.apiKey.updateMany({ where: { id, userId, revokedAt: null }, data: { revokedAt: now } })
  return count === 1 ? tx.apiKey.findFirst({ where: { id, userId }, include: WITH_ORGANIZATION }) : null
}

export const isLiveKey = (key: { revokedAt: Date | null; expiresAt: Date | null }, now = new Date()): boolean =>
  key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now)

/** A live key with its user and the organization it is limited to. Writes lastUsedAt at most once a minute, so that busy keys do not write at every request. */
export async function useApiKey(db: Tx, hash: string, now = new Date()) {
  const key = await db.apiKey.findUnique({ where: { hash }, include: { user: true, ...WITH_ORGANIZATION } })
  if (!key || !isLiveKey(key, now)) return null
  if (!key.lastUsedAt || now.getTime() - key.lastUsedAt.getTime() > 60_000)
    await db.apiKey.updateMany({ where: { id: key.id }, data: { lastUsedAt: now } })
  return key
}
