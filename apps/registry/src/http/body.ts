import type { IncomingMessage } from 'node:http'
import type { RegistryError } from '../errors'

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
