/** Uploads of build contexts: what is missing is asked by tRPC, the objects come as one stream for each request. */
import { inputs } from '@slipway/contracts'
import { isAppError, toAppError } from '@slipway/core'
import { TRPCError } from '@trpc/server'
import * as z from 'zod'
import { type ContextInit, createContext } from './context'
import { orgProcedure, router } from './trpc'

const send = inputs.org.extend({
  encoding: z.string().max(20),
  /** No JSON can be this: only `contextUpload` calls it. */
  body: z.instanceof(ReadableStream<Uint8Array>),
})

export const contextsRouter = router({
  // A mutation, because the question is too long for an address.
  missing: orgProcedure.input(inputs.missingContext).mutation(({ ctx, input }) => ctx.services.contexts.missing(ctx.scope, input)),
  send: orgProcedure
    .input(send)
    .mutation(({ ctx, input, signal }) =>
      ctx.services.contexts.send(ctx.scope, input.body, input.encoding, signal ?? new AbortController().signal),
    ),
})

const sendRouter = router({ contexts: contextsRouter })

/** `POST /api/contexts/<organization>`: the body goes to the procedure, and through its checks, without being read into memory. */
export async function contextUpload(request: Request, org: string, init: ContextInit): Promise<Response> {
  const refused = (status: number, code: string, message: string) => Response.json({ code, message }, { status })
  try {
    const caller = sendRouter.createCaller(await createContext(init), { signal: request.signal })
    const body = request.body ?? new Blob([]).stream()
    return Response.json(await caller.contexts.send({ org, encoding: request.headers.get('content-encoding') ?? 'identity', body }))
  } catch (error) {
    if (error instanceof TRPCError && !isAppError(error.cause) && error.code !== 'INTERNAL_SERVER_ERROR')
      return refused(400, error.code, 'The request is not valid.')
    const cause = toAppError(error instanceof TRPCError ? (error.cause ?? error) : error)
    return refused(cause.status, cause.code, cause.message)
  }
}
