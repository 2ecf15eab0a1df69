import { inputs } from '@slipway/contracts'
import { AppError, type ErrorKind, isAppError, toAppError } from '@slipway/core'
import type { Identity, Scope } from '@slipway/services'
import { initTRPC, TRPCError } from '@trpc/server'
import superjson from 'superjson'
import { ZodError } from 'zod'
import { actorOf, type Context, signInNeeded } from './context'

/** What a client finds in `error.data.app`; forms put `fields` beside their inputs. */
export interface ErrorData {
  code: string
  message: string
  details: Record<string, unknown>
  status: number
  /** Of an internal error: the same id stands in the server's log. */
  errorId: string | null
  fields: Record<string, string[]> | null
}

const TRPC_CODE = {
  'bad-input': 'BAD_REQUEST',
  unauthenticated: 'UNAUTHORIZED',
  forbidden: 'FORBIDDEN',
  'not-found': 'NOT_FOUND',
  conflict: 'CONFLICT',
  'too-large': 'PAYLOAD_TOO_LARGE',
  'rate-limited': 'TOO_MANY_REQUESTS',
  unavailable: 'SERVICE_UNAVAILABLE',
  internal: 'INTERNAL_SERVER_ERROR',
} as const satisfies Record<ErrorKind, TRPCError['code']>

const t = initTRPC.context<Context>().create({
  transformer: superjson,
  sse: {
    // Proxies and sleeping laptops cut silent connections; a ping shows both ends that the other is there.
    ping: { enabled: true, intervalMs: 5000 },
    client: { reconnectAfterInactivityMs: 15_000 },
    // A reconnect costs one request and resumes from the cursor; an abandoned stream must not live for ever.
    maxDurationMs: 30 * 60_000,
  },
  errorFormatter({ shape, error }) {
    return {
      message: messageOf(error),
      code: shape.code,
      data: { code: shape.data.code, httpStatus: shape.data.httpStatus, app: errorData(error) },
    }
  },
})

function messageOf(error: TRPCError): string {
  return errorData(error).message
}

function errorData(error: TRPCError): ErrorData {
  const cause = error.cause
  if (isAppError(cause)) {
    const errorId = typeof cause.details.errorId === 'string' ? cause.details.errorId : null
    return { code: cause.code, message: cause.message, details: cause.details, status: cause.status, errorId, fields: null }
  }
  if (cause instanceof ZodError) {
    const fields: Record<string, string[]> = {}
    for (const issue of cause.issues) {
      const field = issue.path.join('.')
      fields[field] = [...(fields[field] ?? []), issue.message]
    }
    const message = cause.issues[0]?.message ?? 'The input is not valid.'
    return { code: 'INPUT_INVALID', message, details: {}, status: 400, errorId: null, fields }
  }
  const known = error.code !== 'INTERNAL_SERVER_ERROR'
  return {
    code: known ? error.code : 'INTERNAL',
    message: known ? error.message : 'Something went wrong on the server. Try again; the log has the cause.',
    details: {},
    status: known ? 400 : 500,
    errorId: null,
    fields: null,
  }
}

/** AppError → TRPCError, and anything unexpected → an internal AppError whose id stands in the log with the cause. */
export function toTrpcError(thrown: unknown, path: string, log: Context['log']): TRPCError {
  if (thrown instanceof TRPCError && !(thrown.code === 'INTERNAL_SERVER_ERROR')) return thrown
  const original = thrown instanceof TRPCError ? (thrown.cause ?? thrown) : thrown
  let error = toAppError(original)
  if (error.kind === 'internal' && typeof error.details.errorId !== 'string') {
    const errorId = crypto.randomUUID().slice(0, 8)
    log.error({ errorId, path, code: error.code, err: error.cause ?? error }, error.message)
    const message = `${error.message} (error ${errorId})`
    error = new AppError({ kind: 'internal', code: error.code, message, cause: error.cause, details: { ...error.details, errorId } })
  } else if (error.kind === 'unavailable') {
    log.error({ path, code: error.code, err: error.cause ?? error }, error.message)
  }
  return new TRPCError({ code: TRPC_CODE[error.kind], message: error.message, cause: error })
}

export const router = t.router
export const createCallerFactory = t.createCallerFactory

export const publicProcedure = t.procedure.use(async ({ next, ctx, path }) => {
  const result = await next()
  if (!result.ok) throw toTrpcError(result.error, path, ctx.log)
  return result
})

/** Somebody. Changes by cookie must come from our own pages; an API key proves that no foreign page sent it. */
export const identityProcedure = publicProcedure.use(({ next, ctx, type }) => {
  const { identity } = ctx
  if (!identity) throw signInNeeded(ctx)
  if (type === 'mutation' && identity.via === 'session' && !ctx.sameOrigin)
    throw new AppError({
      kind: 'forbidden',
      code: 'FOREIGN_ORIGIN',
      message: 'This request came from another site, so it was refused. Use the panel itself, or an API key.',
    })
  return next({ ctx: { ...ctx, identity, actor: actorOf(identity, ctx.ip) } })
})

/** A signed-in user with all that is theirs: a key of one organization cannot make itself another, nor leave what it is for. */
export const userProcedure = identityProcedure.use(({ next, ctx }) => {
  const { organization } = ctx.identity
  if (organization)
    throw new AppError({
      kind: 'forbidden',
      code: 'KEY_SCOPE',
      message: `This key is for ${organization} only. Sign in, or use a key for all organizations.`,
    })
  return next()
})

const scoped = (ctx: Context & { identity: Identity }, scope: Scope, again: () => Promise<Scope>) => ({
  ...ctx,
  scope,
  via: ctx.identity.via === 'apiKey' ? ('api' as const) : ('manual' as const),
  stillMay: async () => void (await again()),
})

/** The one organization-scoped base: everything on an organization's data starts here with its membership checked. */
export const orgProcedure = identityProcedure.input(inputs.org).use(async ({ next, ctx, input }) => {
  const open = () => ctx.services.organizations.scope(ctx.actor, input.org)
  return next({ ctx: scoped(ctx, await open(), open) })
})

/** On one repository: also for those whom a grant or its visibility lets in. Their scope reaches nothing else (`Scope.within`). */
export const repositoryProcedure = identityProcedure.input(inputs.repository).use(async ({ next, ctx, input }) => {
  const open = () => ctx.services.access.repositoryScope(ctx.actor, input.org, input.repository)
  return next({ ctx: scoped(ctx, await open(), open) })
})

/** On one app: also for those whom a grant on its project lets in. */
export const appProcedure = identityProcedure.input(inputs.app).use(async ({ next, ctx, input }) => {
  const open = () => ctx.services.access.appScope(ctx.actor, input.org, input.app)
  return next({ ctx: scoped(ctx, await open(), open) })
})

/** On a list that may be of one app. */
export const maybeAppProcedure = identityProcedure
  .input(inputs.org.extend({ app: inputs.slug.optional() }))
  .use(async ({ next, ctx, input }) => {
    const { app } = input
    const open = () =>
      app ? ctx.services.access.appScope(ctx.actor, input.org, app) : ctx.services.organizations.scope(ctx.actor, input.org)
    return next({ ctx: scoped(ctx, await open(), open) })
  })

export const projectProcedure = identityProcedure.input(inputs.projectAccess).use(async ({ next, ctx, input }) => {
  const open = () => ctx.services.access.projectScope(ctx.actor, input.org, input.project)
  return next({ ctx: scoped(ctx, await open(), open) })
})

/** What a resolver of a scoped base is called with. */
export interface OrgCall<Input> {
  ctx: Context & { scope: Scope; stillMay: () => Promise<void> }
  input: Input
  signal: AbortSignal | undefined
}
