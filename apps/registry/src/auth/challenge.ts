import type { IncomingMessage } from 'node:http'
import { REGISTRY_SERVICE, type RegistryToken } from '@slipway/contracts'
import { RegistryError } from '../errors'
import type { TokenVerifier } from './verify'

/** Where clients get tokens: the address they used for us, unless the operator set one. */
export function realmOf(request: IncomingMessage, publicUrl: string | undefined): string {
  if (publicUrl !== undefined) return `${publicUrl}/token`
  const host = request.headers.host ?? ''
  const protocol = request.headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'
  // Goes into a quoted header value, so nothing but what a host can be.
  if (!/^[A-Za-z0-9.-]{1,253}(?::\d{1,5})?$|^\[[0-9a-fA-F:]{2,45}\](?::\d{1,5})?$/.test(host)) return `${protocol}://localhost/token`
  return `${protocol}://${host}/token`
}

export interface Challenger {
  verifier: TokenVerifier
  publicUrl: string | undefined
}

/** The request's token, or 401 with the challenge that tells the client where to get one and for what scope. */
export async function requireToken(
  request: IncomingMessage,
  { verifier, publicUrl }: Challenger,
  scope: string | undefined,
  allowed: (token: RegistryToken) => boolean | Promise<boolean> = () => true,
): Promise<RegistryToken> {
  const header = request.headers.authorization ?? ''
  const bearer = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(header)?.[1]
  const token = bearer === undefined ? undefined : await verifier.verify(bearer)
  if (token && (await allowed(token))) return token
  if (token) throw insufficientScope(request, { publicUrl }, scope)
  const headers = challenge(request, publicUrl, scope, bearer === undefined ? undefined : 'invalid_token')
  throw new RegistryError('UNAUTHORIZED', 'Log in first: docker login with your e-mail and password, or with an API key.', { headers })
}

/** The token is good, but not for this: the client may come back with one for `scope` (several are separated by a space). */
export function insufficientScope(
  request: IncomingMessage,
  { publicUrl }: Pick<Challenger, 'publicUrl'>,
  scope: string | undefined,
): RegistryError {
  const headers = challenge(request, publicUrl, scope, 'insufficient_scope')
  return new RegistryError('DENIED', 'You may not do this here, or the repository does not exist.', { headers })
}

function challenge(request: IncomingMessage, publicUrl: string | undefined, scope: string | undefined, reason: string | undefined) {
  const parts = [`realm="${realmOf(request, publicUrl)}"`, `service="${REGISTRY_SERVICE}"`]
  if (scope !== undefined) parts.push(`scope="${scope}"`)
  if (reason !== undefined) parts.push(`error="${reason}"`)
  return { 'www-authenticate': `Bearer ${parts.join(',')}` }
}
