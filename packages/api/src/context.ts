import { AppError } from '@slipway/core'
import type { Actor, Identity, Services } from '@slipway/services'

/** Where internal errors are written with their cause and their id; the client sees only the id. */
export interface ErrorLog {
  error(fields: Record<string, unknown>, message: string): void
}

export interface Context {
  services: Services
  identity: Identity | null
  /** Why a good key is nobody here. */
  refused?: AppError
  /** True when a browser could not have been made to send this by another site (see `isSameOrigin`). */
  sameOrigin: boolean
  ip: string | null
  headers: Headers
  /** Null in the server-side caller, which cannot set cookies. */
  responseHeaders: Headers | null
  log: ErrorLog
}

export interface ContextInit {
  services: Services
  headers: Headers
  responseHeaders: Headers | null
  /** This installation's own address, as SLIPWAY_WEB_URL. */
  webUrl: string
  log: ErrorLog
}

/** Identity from `Authorization: Bearer slp_…`, else from the session cookie. A bad key is nobody, never a fall back to the cookie. */
export async function createContext({ services, headers, responseHeaders, webUrl, log }: ContextInit): Promise<Context> {
  const bearer = /^Bearer\s+(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  const found = bearer ? await services.apiKeys.verify(bearer) : await services.auth.session(headers)
  const identity = found === 'registry-only' ? null : found
  const refused = found === 'registry-only' ? { refused: registryOnly() } : {}
  return { services, identity, ...refused, sameOrigin: isSameOrigin(headers, webUrl), ip: clientIp(headers), headers, responseHeaders, log }
}

const registryOnly = () =>
  new AppError({
    kind: 'forbidden',
    code: 'KEY_SCOPE',
    message: 'This key opens the registry only. Make one for everything in your account to use it here.',
  })

/** Who the identity acts as, with what its key is limited to. */
export const actorOf = ({ userId, name, organization }: Identity, ip: string | null): Actor => ({
  userId,
  label: name,
  ip,
  ...(organization && { organization }),
})

/** Nobody: why, in words. */
export const signInNeeded = ({ refused }: Pick<Context, 'refused'>): AppError =>
  refused ?? new AppError({ kind: 'unauthenticated', code: 'SIGN_IN_NEEDED', message: 'Sign in first, or send an API key.' })

/**
 * Browsers send Origin with every POST and no page can forge it, so a mutation by cookie must carry our own: the origin
 * of SLIPWAY_WEB_URL, or that of the Host it was sent to (the panel is often reached by another name, as localhost).
 */
export function isSameOrigin(headers: Headers, webUrl: string): boolean {
  const origin = headers.get('origin')
  if (!origin || !URL.canParse(origin)) return false
  const url = new URL(origin)
  return url.origin === new URL(webUrl).origin || url.host === headers.get('host')
}

/**
 * For the audit log and rate limits only; nothing is granted by it. The server wrote this header itself, as one address; a list is
 * one that came from somewhere else, and says nothing.
 */
export function clientIp(headers: Headers): string | null {
  const address = headers.get('x-forwarded-for')
  return address && /^[\da-f.:]{2,45}$/i.test(address) ? address : null
}
