import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@slipway/core'
import type { Db } from '@slipway/db'
import { type Api, createApi } from './api'
import { createInstallation, type Installation } from './installation'

export const ADMIN = { email: 'ada@example.com', password: 'correct horse battery', organization: 'Acme' } as const

/** Session cookies of an account, as a browser gets them. */
export async function signIn(webUrl: string, email: string, password: string): Promise<string> {
  const response = await fetch(`${webUrl}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: webUrl },
    body: JSON.stringify({ email, password }),
  })
  if (!response.ok) throw new Error(`sign-in: ${response.status} ${await response.text()}`)
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ')
}

/** A key made as the settings page makes it. */
export async function createKey(webUrl: string, cookie: string): Promise<string> {
  const response = await fetch(`${webUrl}/api/trpc/me.apiKeys.create`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: webUrl, cookie },
    body: JSON.stringify({ json: { name: 'tests' } }),
  })
  const body = (await response.json()) as { result?: { data: { json: { key: string } } } }
  if (!body.result) throw new Error(`apiKeys.create: ${response.status} ${JSON.stringify(body)}`)
  return body.result.data.json.key
}

export interface Ready {
  installation: Installation
  api: Api
  key: string
  cookie: string
  org: string
}

/**
 * Another account, with an organization of its own. There is no sign-up, and an invitation needs an account: the row is
 * made in the database, with the first account's password.
 */
export async function addAccount(db: Db, { installation }: Ready, name: string, organization: string): Promise<Ready> {
  const { password } = await db.account.findFirstOrThrow({ where: { user: { email: ADMIN.email } } })
  const [id, email] = [newId('user'), `${name.toLowerCase()}@example.com`]
  const account = { id: newId('user'), accountId: id, providerId: 'credential', password }
  await db.user.create({ data: { id, name, email, accounts: { create: account } } })
  const cookie = await signIn(installation.webUrl, email, ADMIN.password)
  const key = await createKey(installation.webUrl, cookie)
  const api = createApi(installation.webUrl, key)
  await api.organizations.create.mutate({ name: organization })
  return { installation, api, key, cookie, org: (await api.me.get.query()).organizations[0]?.slug ?? '' }
}

/** A running installation with one account, one organization and a key. `prepare` may change its data before the first start. */
export async function readyInstallation(
  extra: Record<string, string> = {},
  prepare: (installation: Installation) => void = () => undefined,
): Promise<Ready> {
  const folder = mkdtempSync(join(tmpdir(), 'sw-pass-'))
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, `${ADMIN.password}\n`, { mode: 0o600 })
  const installation = await createInstallation({
    SLIPWAY_ADMIN_EMAIL: ADMIN.email,
    SLIPWAY_ADMIN_PASSWORD_FILE: passwordFile,
    SLIPWAY_ADMIN_ORGANIZATION: ADMIN.organization,
    ...extra,
  })
  try {
    prepare(installation)
    await installation.start()
    const cookie = await signIn(installation.webUrl, ADMIN.email, ADMIN.password)
    const key = await createKey(installation.webUrl, cookie)
    const api = createApi(installation.webUrl, key)
    const me = await api.me.get.query()
    const org = me.organizations[0]?.slug
    if (!org) throw new Error('the first account has no organization')
    return { installation, api, key, cookie, org }
  } catch (error) {
    await installation.remove()
    throw error
  } finally {
    rmSync(folder, { recursive: true })
  }
}
