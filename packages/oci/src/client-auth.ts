import { AppError } from '@slipway/core'
import * as z from 'zod'

/** Basic credentials for the token endpoint, or a bearer token made beforehand (`signRegistryToken`). */
export type RegistryCredentials = { username: string; password: string } | { bearer: string }

interface AuthorizeInput {
  /** The WWW-Authenticate header. */
  challenge: string
  scope: string
  credentials: RegistryCredentials | undefined
  send: (url: string, headers: Record<string, string>) => Promise<Response>
}

const tokenAnswer = z.object({ token: z.string().optional(), access_token: z.string().optional() })
const denied = (message: string) => new AppError({ kind: 'forbidden', code: 'REGISTRY_DENIED', message })

/** The Authorization header that answers a registry's challenge (Docker "Token Authentication Specification"). */
export async function authorize({ challenge, scope, credentials, send }: AuthorizeInput): Promise<string> {
  if (credentials && 'bearer' in credentials) return `Bearer ${credentials.bearer}`
  const basic = credentials ? `Basic ${encode(`${credentials.username}:${credentials.password}`)}` : undefined
  const { scheme, parameters } = parseChallenge(challenge)
  if (scheme === 'basic') {
    if (basic === undefined) throw denied('The registry asks for a user name and password.')
    return basic
  }
  const realm = parameters.realm
  if (scheme !== 'bearer' || realm === undefined || !/^https?:\/\//.test(realm))
    throw denied('The registry asks for a login of a kind that is not supported.')
  const url = new URL(realm)
  if (parameters.service !== undefined) url.searchParams.set('service', parameters.service)
  if (scope !== '') url.searchParams.set('scope', scope)
  const response = await send(url.href, basic === undefined ? {} : { authorization: basic })
  if (!response.ok) {
    await response.body?.cancel()
    throw denied(
      response.status === 401 ? 'The registry does not accept these credentials.' : `The registry's login answered ${response.status}.`,
    )
  }
  const answer = tokenAnswer.safeParse(await response.json())
  const token = answer.success ? (answer.data.token ?? answer.data.access_token) : undefined
  if (token === undefined) throw denied("The registry's login sent no token.")
  return `Bearer ${token}`
}

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
