import { AppError } from '@slipway/core'
import * as z from 'zod'

/**
 * Basic credentials for the token endpoint, or a bearer token made beforehand (`signRegistryToken`), or made for each scope that is
 * asked for, again when the last one has expired.
 */
export type RegistryCredentials =
  | { username: string; password: string }
  /** What `docker login` keeps instead of a password: a refresh token. */
  | { identityToken: string }
  | { bearer: string | ((scope: string) => Promise<string>) }

interface AuthorizeInput {
  /** Of the registry: `https:` asks for a login that is encrypted, too. */
  protocol: string
  /** The WWW-Authenticate header. */
  challenge: string
  /** Several are separated by spaces. */
  scope: string
  credentials: RegistryCredentials | undefined
  /** GET; with a form, POST. */
  send: (url: string, headers: Record<string, string>, form?: URLSearchParams) => Promise<Response>
  /** The text of an answer, which is no longer than a login is. */
  read: (answer: Response) => Promise<string>
}

const tokenAnswer = z.object({ token: z.string().optional(), access_token: z.string().optional() })
/** `login`: not this repository only, but everything is refused to these credentials. */
const denied = (message: string, login = false) =>
  new AppError({ kind: 'forbidden', code: 'REGISTRY_DENIED', message, ...(login && { details: { login } }) })

/** The Authorization header that answers a registry's challenge (Docker "Token Authentication Specification"). */
export async function authorize({ protocol, challenge, scope, credentials, send, read }: AuthorizeInput): Promise<string> {
  if (credentials && 'bearer' in credentials)
    return `Bearer ${typeof credentials.bearer === 'string' ? credentials.bearer : await credentials.bearer(scope)}`
  const basic = credentials && 'password' in credentials ? `Basic ${encode(`${credentials.username}:${credentials.password}`)}` : undefined
  const { scheme, parameters } = parseChallenge(challenge)
  if (scheme === 'basic') {
    if (basic === undefined) throw denied('The registry asks for a user name and password. Enter them.')
    return basic
  }
  const realm = parameters.realm
  if (scheme !== 'bearer' || realm === undefined || !/^https?:\/\//i.test(realm))
    throw denied('The registry asks for a login of a kind that is not supported.')
  if (!URL.canParse(realm)) throw denied('The registry leads its login to what is no address.')
  const url = new URL(realm)
  // A login that the other side names must not take a password out of the encrypted line.
  if (protocol === 'https:' && url.protocol !== 'https:') throw insecure(url.host)
  if (parameters.service !== undefined) url.searchParams.set('service', parameters.service)
  for (const one of scope.split(' ')) if (one !== '') url.searchParams.append('scope', one)
  const response =
    credentials && 'identityToken' in credentials
      ? await send(realm, {}, refreshForm(credentials.identityToken, parameters.service ?? '', scope))
      : await send(url.href, basic === undefined ? {} : { authorization: basic })
  if (!response.ok) {
    await response.body?.cancel()
    if (response.status === 401)
      throw denied('The registry does not accept these credentials. Correct the user name, the password or the token.', true)
    if (response.status === 429 || response.status >= 500)
      throw new AppError({
        kind: 'unavailable',
        code: 'REGISTRY_UNREACHABLE',
        message: `The registry's login answered ${response.status}.`,
      })
    throw denied(`The registry's login answered ${response.status}.`)
  }
  const answer = tokenAnswer.safeParse(parsed(await read(response)))
  const token = answer.success ? (answer.data.token ?? answer.data.access_token) : undefined
  if (token === undefined) throw denied("The registry's login sent no token.")
  return `Bearer ${token}`
}

const insecure = (host: string) =>
  new AppError({
    kind: 'bad-input',
    code: 'OUTBOUND_REDIRECT',
    message: `The registry leads its login to ${host} without encryption. Correct its address, or ask those who run it to mend it.`,
  })

/** Undefined: no JSON, which is no token. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Docker's "OAuth2 token" endpoint. */
const refreshForm = (token: string, service: string, scope: string) =>
  new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token, service, client_id: 'slipway', scope })

/** `Bearer realm="…",service="…"` → scheme in lower case, parameters by lower-case name. */
export function parseChallenge(header: string): { scheme: string; parameters: Record<string, string> } {
  const [, scheme = '', rest = ''] = /^\s*([A-Za-z]+)\s*(.*)$/s.exec(header.slice(0, 8192)) ?? []
  const parameters: Record<string, string> = {}
  for (const match of rest.matchAll(/([A-Za-z_-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)) {
    parameters[(match[1] ?? '').toLowerCase()] = match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? ''
  }
  return { scheme: scheme.toLowerCase(), parameters }
}

const encode = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)))
