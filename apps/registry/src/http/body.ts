import type { IncomingMessage } from 'node:http'
import { RegistryError } from '../errors'

/** The whole body in memory, at most `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number, tooLarge: () => RegistryError): Promise<Buffer> {
  const announced = contentLength(request)
  if (announced !== undefined && announced > maxBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let length = 0
  // Not `for await`: leaving that loop destroys the socket before the client has read why.
  const iterator = chunksOf(request)[Symbol.asyncIterator]()
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    length += next.value.byteLength
    if (length > maxBytes) throw tooLarge()
    chunks.push(next.value)
  }
  return Buffer.concat(chunks, length)
}

export const chunksOf = (request: IncomingMessage): AsyncIterable<Buffer> => request.iterator({ destroyOnReturn: false })

/** How slow a body may come: so many bytes in each window of time, unless it ends before. */
export interface Pace {
  windowMs: number
  bytes: number
}

/** A line that barely carries a voice sends more than this in a minute; a client that sends less only holds the place. */
export const SLOWEST: Pace = { windowMs: 60_000, bytes: 16 * 1024 }

/** The same chunks; ends with 408 when they trickle. What came before was given, so that an upload can go on from there. */
export async function* paced(request: IncomingMessage, { windowMs, bytes }: Pace): AsyncIterable<Buffer> {
  const iterator = chunksOf(request)[Symbol.asyncIterator]()
  let came = 0
  // Set only while we wait for the client: it is no fault of it when the disk is slow.
  let fail: ((error: Error) => void) | undefined
  const message = 'The bytes of this upload come too slowly. Ask the upload how far it is, and go on from there.'
  const timer = setInterval(() => {
    if (came < bytes) fail?.(new RegistryError('BLOB_UPLOAD_INVALID', message, { status: 408 }))
    came = 0
  }, windowMs)
  timer.unref()
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        fail = reject
        iterator.next().then(resolve, reject)
      })
      fail = undefined
      if (next.done) return
      came += next.value.byteLength
      yield next.value
    }
  } finally {
    clearInterval(timer)
  }
}

/** Undefined for a chunked body. Node itself refuses what is no number. */
export function contentLength(request: IncomingMessage): number | undefined {
  const header = request.headers['content-length']
  return header === undefined ? undefined : Number(header)
}

/** RFC 9110 byte ranges, one range only: more are answered with the whole, as the RFC allows. */
export function parseRange(header: string | undefined, size: number): { start: number; end: number } | 'whole' | 'unsatisfiable' {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  if (!match) return 'whole'
  const [, from = '', to = ''] = match
  if (from === '' && to === '') return 'whole'
  if (from === '') {
    const length = Math.min(Number(to), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 }
  }
  const start = Number(from)
  const end = to === '' ? size - 1 : Math.min(Number(to), size - 1)
  // RFC 9110 leaves a range that ends before it begins to us; a client that sends one does not want the whole.
  return start >= size || end < start ? 'unsatisfiable' : { start, end }
}

/** `Content-Range: <start>-<end>` of a chunk (distribution-spec writes it without a unit; some clients add one). */
export function parseContentRange(header: string): { start: number; end: number } | undefined {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header.trim())
  if (!match) return undefined
  const start = Number(match[1])
  const end = Number(match[2])
  return end < start ? undefined : { start, end }
}
