/** Secrets that are looked up by their SHA-256: API keys, robots, share links, and what `docker login` keeps. */
import { createHash, randomBytes } from 'node:crypto'
import {
  createRefreshToken,
  type Db,
  findLiveShare,
  findRefreshToken,
  isLiveKey,
  renewRefreshToken,
  useApiKey,
  useRobot,
} from '@slipway/db'
import { type Principal, robotOf } from './principal'

/** Unused for so long, a login ends; each use begins the time anew. */
const REFRESH_LIFETIME_MS = 90 * 24 * 3_600_000

export interface Login {
  principal: Principal
  /** What a refresh token of it would depend on. Robots and share links get none: their secret is one for machines already. */
  renewal?: Renewal
}

interface Renewal {
  userId: string
  apiKeyId: string | null
  passwordFingerprint: string | null
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The kind of secret by its first letters; undefined for what can only be a password. */
const SECRET = /^(slp|slr|sls|sli)_[A-Za-z0-9_-]{43}$/
export const isRefreshToken = (text: string): boolean => isSecret(text) && text.startsWith('sli_')
export const isSecret = (password: string): boolean => SECRET.test(password)

/** Undefined: not known, or not good any more; which of the two is nobody's business. */
export async function loginWithSecret(db: Db, secret: string, address: string): Promise<Login | undefined> {
  switch (SECRET.exec(secret)?.[1]) {
    case 'slp': {
      const key = await useApiKey(db, sha256(secret))
      return key ? loginOfKey(key) : undefined
    }
    case 'slr': {
      const robot = await useRobot(db, sha256(secret), address)
      return robot ? { principal: robotOf(robot) } : undefined
    }
    case 'sls': {
      const share = await findLiveShare(db, sha256(secret))
      if (!share) return undefined
      const name = `${share.repository.organization.slug}/${share.repository.name}`
      return { principal: { kind: 'share', id: share.id, name, digest: share.digest } }
    }
    case 'sli':
      return loginWithRefreshToken(db, secret, address)
    default:
      return undefined
  }
}

export const loginWithPassword = (userId: string, passwordHash: string): Login => ({
  principal: { kind: 'user', userId, writes: true, organization: null },
  renewal: { userId, apiKeyId: null, passwordFingerprint: sha256(passwordHash) },
})

interface KeyRow {
  id: string
  userId: string
  scope: string
  organization: { slug: string } | null
}

const loginOfKey = ({ id, userId, scope, organization }: KeyRow): Login => ({
  principal: { kind: 'user', userId, writes: scope !== 'registry_read', organization: organization?.slug ?? null },
  renewal: { userId, apiKeyId: id, passwordFingerprint: null },
})

async function loginWithRefreshToken(db: Db, secret: string, address: string): Promise<Login | undefined> {
  const row = await findRefreshToken(db, sha256(secret))
  if (!row) return undefined
  const login = row.apiKey
    ? isLiveKey(row.apiKey) && loginOfKey(row.apiKey)
    : row.user.accounts
        .flatMap(({ password }) => password ?? [])
        .map((hash) => loginWithPassword(row.userId, hash))
        .find(({ renewal }) => renewal?.passwordFingerprint === row.passwordFingerprint)
  if (!login) return undefined
  await renewRefreshToken(db, row, { address, expiresAt: new Date(Date.now() + REFRESH_LIFETIME_MS) })
  return login
}

export async function makeRefreshToken(db: Db, renewal: Renewal, client: string, address: string): Promise<string> {
  const token = `sli_${randomBytes(32).toString('base64url')}`
  const expiresAt = new Date(Date.now() + REFRESH_LIFETIME_MS)
  await createRefreshToken(db, { ...renewal, hash: sha256(token), client, address, expiresAt })
  return token
}
