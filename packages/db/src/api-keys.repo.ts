import { newId } from '@slipway/core'
import type { Tx } from './client'

/** Keys are a user's own: every read and write names the user. */
export const listApiKeys = (db: Tx, userId: string) =>
  db.apiKey.findMany({ where: { userId, revokedAt: null }, orderBy: { createdAt: 'desc' } })

export const createApiKey = (tx: Tx, userId: string, data: { name: string; prefix: string; hash: string; expiresAt: Date | null }) =>
  tx.apiKey.create({ data: { id: newId('apiKey'), userId, ...data } })

/** The revoked key, or null when the user has no such live key. */
export async function revokeApiKey(tx: Tx, userId: string, id: string, now = new Date()) {
  const { count } = await tx.apiKey.updateMany({ where: { id, userId, revokedAt: null }, data: { revokedAt: now } })
  return count === 1 ? tx.apiKey.findFirst({ where: { id, userId } }) : null
}

/** A live key with its user. Writes lastUsedAt at most once a minute, so that busy keys do not write at every request. */
export async function useApiKey(db: Tx, hash: string, now = new Date()) {
  const key = await db.apiKey.findUnique({ where: { hash }, include: { user: true } })
  if (!key || key.revokedAt || (key.expiresAt && key.expiresAt <= now)) return null
  if (!key.lastUsedAt || now.getTime() - key.lastUsedAt.getTime() > 60_000)
    await db.apiKey.updateMany({ where: { id: key.id }, data: { lastUsedAt: now } })
  return key
}
