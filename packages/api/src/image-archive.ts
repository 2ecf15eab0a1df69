import { Readable } from 'node:stream'
import { inputs } from '@slipway/contracts'
import { AppError, toAppError } from '@slipway/core'
import { ZodError } from 'zod'
import type { Context } from './context'

/**
 * `GET /api/images/archive?org=…&repository=…&reference=…&format=oci|docker`: a download, which tRPC has no word for. The same
 * identity and the same check of the membership as `orgProcedure`. A refusal is text, because a person sees it in the browser.
 */
export async function imageArchive(request: Request, context: Context): Promise<Response> {
  try {
    const { org, ...input } = inputs.imageArchive.parse(Object.fromEntries(new URL(request.url).searchParams))
    const { identity, ip, services } = context
    if (!identity) throw new AppError({ kind: 'unauthenticated', code: 'SIGN_IN_NEEDED', message: 'Sign in first, or send an API key.' })
    const scope = await services.organizations.scope({ userId: identity.userId, label: identity.name, ip }, org)
    const { stream, filename } = await services.images.archive(scope, input, request.signal)
    return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, {
      headers: {
        'content-type': 'application/x-tar',
        'content-disposition': `attachment; filename="${filename}"`,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      },
    })
  } catch (thrown) {
    const error =
      thrown instanceof ZodError
        ? new AppError({ kind: 'bad-input', code: 'INPUT_INVALID', message: 'This address is no image.' })
        : toAppError(thrown)
    if (error.kind === 'internal' || error.kind === 'unavailable')
      context.log.error({ code: error.code, err: error.cause ?? error }, error.message)
    return new Response(`${error.message}\n`, { status: error.status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
  }
}
