/** GET and POST /token (Docker "Token Authentication Specification", "Requesting a Token" and its OAuth2 form). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { REGISTRY_SERVICE } from '@slipway/contracts'
import type { Db } from '@slipway/db'
import { signRegistryToken } from '@slipway/oci'
import { RegistryError } from '../errors'
import { readBody } from '../http/body'
import { sendJson } from '../http/respond'
import type { Authenticator, Credentials } from './credentials'
import type { TokenKeys } from './keys'
import { grantScopes, parseScopes } from './scopes'

const TTL_SECONDS = 300
const MAX_FORM = 64 * 1024

interface TokenContext {
  db: Db
  keys: TokenKeys
  authenticator: Authenticator
}

export async function issueToken(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  context: TokenContext,
): Promise<void> {
  const form = request.method === 'POST' ? await readForm(request) : undefined
  const parameters = form ?? query
  const service = parameters.get('service')
  if (service !== null && service !== REGISTRY_SERVICE) {
    throw new RegistryError('UNSUPPORTED', `This is the service "${REGISTRY_SERVICE}", which signs no tokens for others.`)
  }
  const credentials = form ? formCredentials(form) : basicCredentials(request)
  const address = request.socket.remoteAddress ?? 'unknown'
  const userId = credentials ? await context.authenticator.authenticate(credentials, address) : null
  const access = await grantScopes(context.db, userId, parseScopes(parameters.getAll('scope')))
  const token = await signRegistryToken({ sub: userId ?? '', access, ttlSeconds: TTL_SECONDS }, context.keys.pem)
  const answer = { token, access_token: token, expires_in: TTL_SECONDS, issued_at: new Date().toISOString() }
  sendJson(response, 200, answer, { 'cache-control': 'no-store' })
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const tooLarge = () => new RegistryError('UNSUPPORTED', 'The login request is too large.', { status: 413 })
  const form = new URLSearchParams((await readBody(request, MAX_FORM, tooLarge)).toString('utf8'))
  if (form.get('grant_type') !== 'password') throw new RegistryError('UNSUPPORTED', 'Only grant_type=password is supported.')
  return form
}

function formCredentials(form: URLSearchParams): Credentials {
  return { username: form.get('username') ?? '', password: form.get('password') ?? '' }
}

/** Undefined without an Authorization header; what is no Basic header is a failed login, not an anonymous one. */
function basicCredentials(request: IncomingMessage): Credentials | undefined {
  const header = request.headers.authorization
  if (header === undefined) return undefined
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header)?.[1]
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon === -1) throw new RegistryError('UNAUTHORIZED', 'Log in with a user name and a password, or an API key as the password.')
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}
