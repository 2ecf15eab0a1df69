/** GET and POST /token (Docker "Token Authentication Specification", "Requesting a Token" and its OAuth2 form). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { REGISTRY_SERVICE } from '@slipway/contracts'
import type { Db } from '@slipway/db'
import { signRegistryToken } from '@slipway/oci'
import type { TrustedProxies } from '@slipway/outbound'
import { RegistryError } from '../errors'
import { addressOf } from '../http/address'
import { readBody, within } from '../http/body'
import { sendJson } from '../http/respond'
import { withNewNames } from '../moved'
import type { Patience } from '../server'
import type { Authenticator, Credentials } from './credentials'
import type { TokenKeys } from './keys'
import { isRefreshToken, type Login, makeRefreshToken } from './logins'
import { NOBODY, subjectOf } from './principal'
import type { Limiters } from './request-limits'
import { grantScopes, parseScopes } from './scopes'

const TTL_SECONDS = 300
const MAX_FORM = 64 * 1024

interface TokenContext {
  db: Db
  keys: TokenKeys
  authenticator: Authenticator
  limiters: Limiters
  patience: Pick<Patience, 'formMs'>
  trustedProxies: TrustedProxies
}

export async function issueToken(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  context: TokenContext,
): Promise<void> {
  const form = request.method === 'POST' ? await readForm(request, context.patience.formMs) : undefined
  const parameters = form ?? query
  const service = parameters.get('service')
  if (service !== null && service !== REGISTRY_SERVICE) {
    throw new RegistryError('UNSUPPORTED', `This is the service "${REGISTRY_SERVICE}", which signs no tokens for others.`)
  }
  const credentials = form ? formCredentials(form) : basicCredentials(request)
  const address = addressOf(request, context.trustedProxies)
  const { limiters } = context
  limiters.tokens.takeAddress(address, credentials === undefined, response)
  const login: Login = credentials ? await context.authenticator.authenticate(credentials, address) : { principal: NOBODY }
  const { principal } = login
  if (principal.kind !== 'nobody') limiters.tokens.takeAccount(subjectOf(principal), response)
  const access = await grantScopes(context.db, principal, await withNewNames(context.db, parseScopes(parameters.getAll('scope'))))
  const limit = principal.kind === 'user' && principal.organization !== null ? { org: principal.organization } : {}
  const token = await signRegistryToken({ sub: subjectOf(principal), ...limit, access, ttlSeconds: TTL_SECONDS }, context.keys.pem)
  const refresh = await refreshToken(context.db, parameters, login, credentials, address)
  const answer = { token, access_token: token, ...refresh, expires_in: TTL_SECONDS, issued_at: new Date().toISOString() }
  sendJson(response, 200, answer, { 'cache-control': 'no-store' })
}

/** For a client that asks for one (`docker login` does), and back to the one that came with it. */
async function refreshToken(
  db: Db,
  parameters: URLSearchParams,
  { renewal }: Login,
  credentials: Credentials | undefined,
  address: string,
): Promise<{ refresh_token?: string }> {
  if (!renewal || !credentials) return {}
  if (isRefreshToken(credentials.password)) return { refresh_token: credentials.password }
  if (parameters.get('offline_token') !== 'true' && parameters.get('access_type') !== 'offline') return {}
  const client = (parameters.get('client_id') ?? '').replace(/[^\w.-]/g, '').slice(0, 40)
  return { refresh_token: await makeRefreshToken(db, renewal, client || 'unknown', address) }
}

async function readForm(request: IncomingMessage, deadlineMs: number): Promise<URLSearchParams> {
  const tooLarge = () => new RegistryError('UNSUPPORTED', 'The login request is too large.', { status: 413 })
  const tooSlow = () => new RegistryError('UNSUPPORTED', 'The login request came too slowly. Log in again.', { status: 408 })
  // Anybody may send this one: it gets no minute after minute, as bytes of an upload do.
  const body = await readBody(request, { maxBytes: MAX_FORM, tooLarge, pace: within(deadlineMs), tooSlow })
  const form = new URLSearchParams(body.toString('utf8'))
  if (!['password', 'refresh_token'].includes(form.get('grant_type') ?? ''))
    throw new RegistryError('UNSUPPORTED', 'Only grant_type=password and grant_type=refresh_token are supported.')
  return form
}

function formCredentials(form: URLSearchParams): Credentials {
  // Nothing but a refresh token is taken for one: a password there would be a guess that no account counts.
  const refresh = form.get('grant_type') === 'refresh_token'
  if (!refresh) return { username: form.get('username') ?? '', password: form.get('password') ?? '' }
  const token = form.get('refresh_token') ?? ''
  return { username: 'refresh token', password: isRefreshToken(token) ? token : 'sli_' }
}

/** Undefined without an Authorization header; what is no Basic header is a failed login, not an anonymous one. */
function basicCredentials(request: IncomingMessage): Credentials | undefined {
  const header = request.headers.authorization
  if (header === undefined) return undefined
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header)?.[1]
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon === -1) throw new RegistryError('UNAUTHORIZED', 'Log in with a user name and a password, or with a key as the password.')
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}
