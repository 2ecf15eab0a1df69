/**
 * Files that a browser keeps (tars of images, the audit log), which tRPC has no word for. The same identity and the same check of the membership as `orgProcedure`. A refusal is
 * text, because a person sees it in the browser.
 */
import { Readable } from 'node:stream'
import { inputs } from '@slipway/contracts'
import { AppError, toAppError } from '@slipway/core'
import type { Actor, Scope, Services } from '@slipway/services'
import { ZodError, type z } from 'zod'
import { actorOf, type Context, signInNeeded } from './context'

interface Download {
  stream: Readable
  filename: string
  /** Without one: a tar. */
  contentType?: string
}

/** `GET /api/images/file?org=…&repository=…&reference=…&path=…[&layer=…]`: never rendered, whatever it is. */
export const imageFile = (request: Request, context: Context) =>
  download(
    request,
    context,
    inputs.fileOfImage,
    ({ access }, actor, input) => access.repositoryScope(actor, input.org, input.repository),
    async (scope, input) => ({
      ...(await context.services.files.download(scope, input, request.signal)),
      contentType: 'application/octet-stream',
    }),
  )

/** `GET /api/images/archive?org=…&repository=…&reference=…&format=oci|docker`. */
export const imageArchive = (request: Request, context: Context) =>
  download(
    request,
    context,
    inputs.imageArchive,
    ({ access }, actor, input) => access.repositoryScope(actor, input.org, input.repository),
    (scope, input) => context.services.images.archive(scope, input, request.signal),
  )

/** `GET /api/builds/output?org=…&app=…&number=…&kind=files|oci|docker[&platform=…][&name=…]`. */
export const buildOutput = (request: Request, context: Context) =>
  download(
    request,
    context,
    inputs.buildOutput,
    ({ access }, actor, input) => access.appScope(actor, input.org, input.app),
    (scope, input) => context.services.builds.output(scope, input, request.signal),
  )

/** `GET /api/activity/export?org=…&format=csv|ndjson[&actor=…][&action=…][&query=…][&from=…][&to=…]`. */
export const activityExport = (request: Request, context: Context) =>
  download(
    request,
    context,
    inputs.exportAudit,
    ({ organizations }, actor, input) => organizations.scope(actor, input.org),
    (scope, input) => context.services.activity.export(scope, input, request.signal),
  )

async function download<S extends z.ZodType<{ org: string }>>(
  request: Request,
  context: Context,
  schema: S,
  scopeOf: (services: Services, actor: Actor, input: z.output<S>) => Promise<Scope>,
  open: (scope: Scope, input: z.output<S>) => Promise<Download>,
): Promise<Response> {
  try {
    const input = schema.parse(Object.fromEntries(new URL(request.url).searchParams))
    const { identity, ip, services } = context
    if (!identity) throw signInNeeded(context)
    const scope = await scopeOf(services, actorOf(identity, ip), input)
    const { stream, filename, contentType = 'application/x-tar' } = await open(scope, input)
    return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, {
      headers: {
        'content-type': contentType,
        'content-disposition': `attachment; filename="${filename}"`,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      },
    })
  } catch (thrown) {
    const error =
      thrown instanceof ZodError
        ? new AppError({ kind: 'bad-input', code: 'INPUT_INVALID', message: 'This address names nothing that can be downloaded.' })
        : toAppError(thrown)
    if (error.kind === 'internal' || error.kind === 'unavailable')
      context.log.error({ code: error.code, err: error.cause ?? error }, error.message)
    return new Response(`${error.message}\n`, { status: error.status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
  }
}
