import { AppError, newId } from '@slipway/core'
import { betterAuth } from 'better-auth'
import { prismaAdapter } from 'better-auth/adapters/prisma'
import { APIError, createAuthMiddleware } from 'better-auth/api'
import type { Deps } from '../deps'
import type { AuthService } from '../services'
import { Attempts } from './attempts'

const DAY = 24 * 60 * 60

const tooMany = (waitMs: number) =>
  new APIError('TOO_MANY_REQUESTS', {
    code: 'TOO_MANY_ATTEMPTS',
    message: `Too many failed attempts for this account. Try again in ${Math.ceil(waitMs / 1000)} seconds.`,
  })

/**
 * E-mail and password with sessions in Postgres. Sign-up is off: accounts are made by the setup only. The cookie's name
 * carries the port, because browsers share cookies between the ports of a host and two installations may share one.
 */
function createBetterAuth({ db, sealer, config, log }: Deps) {
  const attempts = new Attempts(10, 60_000)
  const emailOf = (body: unknown) =>
    String((body as { email?: unknown } | undefined)?.email ?? '')
      .toLowerCase()
      .slice(0, 200)
  const url = new URL(config.webUrl)
  return betterAuth({
    appName: 'Slipway',
    baseURL: config.webUrl,
    basePath: '/api/auth',
    secret: sealer.derive('better-auth'),
    database: prismaAdapter(db, { provider: 'postgresql' }),
    telemetry: { enabled: false },
    logger: { level: 'error', log: (_level, message, ...cause: unknown[]) => log.error({ err: cause[0] }, message) },
    onAPIError: {
      // A wrong password is an answer, not an event of the server's.
      onError(error) {
        if (!(error instanceof APIError) || error.statusCode >= 500) log.error({ err: error }, 'signing in failed')
      },
    },
    emailAndPassword: { enabled: true, disableSignUp: true, minPasswordLength: 10, maxPasswordLength: 200, autoSignIn: false },
    session: { expiresIn: 30 * DAY, updateAge: DAY },
    // The panel is often reached by a name that SLIPWAY_WEB_URL does not know; a page of that same host is no foreign one.
    trustedOrigins: (request) => {
      const host = request?.headers.get('host')
      return host ? [config.webUrl, `http://${host}`, `https://${host}`] : [config.webUrl]
    },
    rateLimit: { enabled: true, window: 10, max: 100, customRules: { '/sign-in/email': { window: 60, max: 20 } } },
    advanced: {
      useSecureCookies: url.protocol === 'https:',
      cookiePrefix: `slipway_${url.port || (url.protocol === 'https:' ? '443' : '80')}`,
      defaultCookieAttributes: { httpOnly: true, sameSite: 'lax' },
      database: { generateId: ({ model }) => (model === 'user' ? newId('user') : crypto.randomUUID()) },
      ipAddress: { ipAddressHeaders: ['x-forwarded-for'] },
    },
    hooks: {
      before: createAuthMiddleware(async (ctx) => {
        if (ctx.path !== '/sign-in/email') return
        const wait = attempts.waitMs(emailOf(ctx.body))
        if (wait > 0) throw tooMany(wait)
      }),
      after: createAuthMiddleware(async (ctx) => {
        if (ctx.path !== '/sign-in/email') return
        if (ctx.context.newSession) attempts.succeeded(emailOf(ctx.body))
        else attempts.failed(emailOf(ctx.body))
      }),
    },
  })
}

export function createAuth(deps: Deps): AuthService {
  const auth = createBetterAuth(deps)
  return {
    handler: (request) => auth.handler(request),
    async session(headers) {
      const found = await auth.api.getSession({ headers })
      if (!found) return null
      const { id, name, email } = found.user
      return { userId: id, name, email, via: 'session' }
    },
    async signIn(email, password, headers) {
      try {
        const { headers: answer } = await auth.api.signInEmail({
          body: { email, password, rememberMe: true },
          headers,
          returnHeaders: true,
        })
        return answer.getSetCookie()
      } catch (cause) {
        if (cause instanceof APIError)
          throw new AppError({
            kind: 'unauthenticated',
            code: 'SIGN_IN_REFUSED',
            message: 'The e-mail address or the password is wrong.',
            cause,
          })
        throw cause
      }
    },
  }
}
