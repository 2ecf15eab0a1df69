/** What `docker login` keeps. A login made with a key or a password ends with it, whoever asks and whenever. */
import { newId } from '@slipway/core'
import type { Tx } from './client'

/** Of one person; the one unused for longest makes room. */
const MAX_PER_USER = 50

export interface NewRefreshToken {
  hash: string
  userId: string
  apiKeyId: string | null
  passwordFingerprint: string | null
  client: string
  address: string
  expiresAt: Date
}

export async function createRefreshToken(tx: Tx, { address, ...data }: NewRefreshToken, now = new Date()): Promise<void> {
  const kept = await tx.refreshToken.findMany({
    where: { userId: data.userId },
    select: { id: true, expiresAt: true },
    orderBy: { lastUsedAt: 'desc' },
  })
  const gone = kept.filter(({ expiresAt }, i) => i >= MAX_PER_USER - 1 || expiresAt <= now).map(({ id }) => id)
  if (gone.length > 0) await tx.refreshToken.deleteMany({ where: { id: { in: gone } } })
  await tx.refreshToken.create({
    data: { id: newId('refreshToken'), ...data, createdFrom: address, lastUsedAt: now, lastUsedFrom: address },
  })
}

/** The login with what it depends on: its key, and the password of its account. Null: unknown or expired. */
export const findRefreshToken = async (db: Tx, hash: string, now = new Date()) => {
  const row = await db.refreshToken.findUnique({
    where: { hash },
    include: {
      apiKey: { include: { organization: { select: { slug: true } } } },
      user: { select: { accounts: { where: { providerId: 'credential' }, select: { password: true } } } },
    },
  })
  return row && row.expiresAt > now ? row : null
}

/** Used: it lasts on. Written at most once an hour and address. */
export async function renewRefreshToken(
  db: Tx,
  token: { id: string; lastUsedAt: Date; lastUsedFrom: string },
  use: { address: string; expiresAt: Date },
  now = new Date(),
): Promise<void> {
  if (now.getTime() - token.lastUsedAt.getTime() < 3_600_000 && token.lastUsedFrom === use.address) return
  await db.refreshToken.updateMany({
    where: { id: token.id },
    data: { lastUsedAt: now, lastUsedFrom: use.address, expiresAt: use.expiresAt },
  })
}

export const listRefreshTokens = (db: Tx, userId: string, now = new Date()) =>
  db.refreshToken.findMany({
    where: { userId, expiresAt: { gt: now } },
    include: { apiKey: { select: { name: true } } },
    orderBy: { lastUsedAt: 'desc' },
  })

/** False: the user has no such login. */
export const deleteRefreshToken = async (tx: Tx, userId: string, id: string): Promise<boolean> =>
  (await tx.refreshToken.deleteMany({ where: { id, userId } })).count === 1
