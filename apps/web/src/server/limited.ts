import { isAppError } from '@slipway/core'
import { readBody } from '@slipway/services'

/** Hands on the request with its body read to the end, or answers itself when that is too long or too slow. */
export async function limited(request: Request, maxBytes: number, next: (request: Request) => Promise<Response>): Promise<Response> {
  if (request.method === 'GET' || request.method === 'HEAD') return next(request)
  let body: Buffer<ArrayBuffer>
  try {
    body = await readBody(request, maxBytes)
  } catch (error) {
    if (!isAppError(error)) throw error
    return Response.json({ code: error.code, message: error.message }, { status: error.status })
  }
  return next(new Request(request.url, { method: request.method, headers: request.headers, body, signal: request.signal }))
}
