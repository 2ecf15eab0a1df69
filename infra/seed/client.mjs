// As much of a client of the panel's API as a scenario needs.
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { StartError } from '../start/errors.mjs'

/** @typedef {ReturnType<typeof createClient>} Client */

/** @param {import('../start/settings.mjs').Settings} settings @param {(line: string) => void} say */
export function createClient({ webUrl, paths }, say) {
  let cookie = ''

  async function post(path, body) {
    const response = await fetch(`${webUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: webUrl, cookie },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    }).catch((cause) => {
      throw new StartError(`Nothing answers at ${webUrl}.`, {
        hint: 'Start Slipway first (npm start), with the same SLIPWAY_… settings.',
        cause,
      })
    })
    const text = await response.text()
    if (!response.ok) throw new StartError(`${path} answered ${response.status}.`, { detail: text.slice(0, 2_000) })
    return { response, value: text ? JSON.parse(text) : undefined }
  }

  const mutate = async (procedure, input) => (await post(`/api/trpc/${procedure}`, { json: input })).value.result.data.json

  return {
    mutate,
    /** Uses the one-time link, so a scenario wants a new installation. @param {{ name: string, email: string, organizationName: string }} account */
    async firstAccount(account) {
      if (!existsSync(paths.setupToken)) {
        throw new StartError('This installation has accounts already.', { hint: 'Seed a new one: another SLIPWAY_DATA, and other ports.' })
      }
      const token = readFileSync(paths.setupToken, 'utf8').trim()
      const password = randomBytes(9).toString('base64url')
      const created = await mutate('setup.create', { ...account, token, password })
      const { response } = await post('/api/auth/sign-in/email', { email: account.email, password })
      cookie = response.headers
        .getSetCookie()
        .map((entry) => entry.split(';')[0])
        .join('; ')
      say(`Account ${account.email} with the password ${password}`)
      return created
    },
  }
}
