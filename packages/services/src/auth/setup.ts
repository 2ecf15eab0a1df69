/**
 * The first account. Either a person opens the one-time link (its token lies in `<secrets>/setup-token`, mode 0600), or
 * the settings name an e-mail address and a password file. Both end once any account exists.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { inputs } from '@slipway/contracts'
import { AppError, newId } from '@slipway/core'
import { countUsers, createFirstUser, createOrganization, type Tx, withSetupLock, writeAudit } from '@slipway/db'
import { hashPassword } from 'better-auth/crypto'
import type { Deps } from '../deps'
import { freeOrganizationSlug } from '../organizations/slug'
import type { SetupService } from '../services'

interface FirstAccount {
  name: string
  email: string
  password: string
  organizationName: string
  organizationSlug?: string
}

export function createSetup(deps: Deps): SetupService {
  const { db, config, log } = deps
  const tokenFile = path.join(config.secretsDir, 'setup-token')

  /** Null when somebody was faster. */
  async function createFirst(account: FirstAccount, ip: string | null): Promise<string | null> {
    const passwordHash = await hashPassword(account.password)
    const created = await withSetupLock(db, async (tx: Tx) => {
      if ((await countUsers(tx)) > 0) return null
      const user = await createFirstUser(tx, {
        id: newId('user'),
        name: account.name,
        email: account.email.toLowerCase(),
        passwordHash,
      })
      const slug = account.organizationSlug ?? (await freeOrganizationSlug(tx, account.organizationName))
      const organization = await createOrganization(tx, { slug, name: account.organizationName, ownerUserId: user.id })
      await writeAudit(tx, organization.id, {
        actorUserId: user.id,
        actorLabel: user.name,
        action: 'organization.create',
        targetType: 'organization',
        targetId: organization.id,
        targetLabel: organization.name,
        ipAddress: ip,
      })
      return organization.slug
    })
    if (created) await rm(tokenFile, { force: true })
    return created
  }

  return {
    status: async () => ({ needed: (await countUsers(db)) === 0 }),

    async create(input, ip) {
      if ((await countUsers(db)) > 0) throw setupOver()
      const expected = (await readFile(tokenFile, 'utf8').catch(() => '')).trim()
      if (expected === '' || !sameText(input.token.trim(), expected))
        throw new AppError({
          kind: 'forbidden',
          code: 'SETUP_TOKEN_WRONG',
          message: 'This link is not valid. Open the one that the start command printed last.',
        })
      const organization = await createFirst(input, ip)
      if (!organization) throw setupOver()
      log.info({ organization }, 'the first account was created')
      return { organization }
    },

    async prepare() {
      if ((await countUsers(db)) > 0) {
        await rm(tokenFile, { force: true })
        return { token: null }
      }
      if (config.admin) {
        const password = (await readPasswordFile(config.admin.passwordFile)).replace(/\r?\n$/, '')
        const { email, organization } = config.admin
        const parsed = inputs.setup.safeParse({ token: '', name: email.split('@')[0], email, password, organizationName: organization })
        if (!parsed.success)
          throw new AppError({
            kind: 'bad-input',
            code: 'ADMIN_SETTINGS_INVALID',
            message: `The account of SLIPWAY_ADMIN_EMAIL was not created: ${parsed.error.issues.map((issue) => issue.message).join(' ')}`,
          })
        await createFirst(parsed.data, null)
        log.info({ email }, 'the account of the settings was created')
        return { token: null }
      }
      const token = randomBytes(24).toString('base64url')
      try {
        await writeFile(tokenFile, `${token}\n`, { mode: 0o600, flag: 'wx' })
        return { token }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        return { token: (await readFile(tokenFile, 'utf8')).trim() }
      }
    },
  }
}

async function readPasswordFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new AppError({
      kind: 'bad-input',
      code: 'ADMIN_PASSWORD_FILE_UNREADABLE',
      message: 'The file of SLIPWAY_ADMIN_PASSWORD_FILE cannot be read. Check its path and rights.',
      cause,
    })
  }
}

const setupOver = () =>
  new AppError({ kind: 'conflict', code: 'SETUP_OVER', message: 'The first account exists already. Sign in with it.' })

/** Constant time whatever the lengths: digests are compared, not the texts. */
export function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
