import type { IncomingMessage } from 'node:http'
import { RegistryError } from '../errors'
import type { Batch, Source } from '../store/store'

export interface BodyLimits {
  maxBytes: number
  tooLarge: () => RegistryError
  pace: Pace
  tooSlow: () => RegistryError
}

/** The whole body in memory, at most `maxBytes`. */
export async function readBody(request: IncomingMessage, { maxBytes, tooLarge, pace, tooSlow }: BodyLimits): Promise<Buffer> {
  const announced = contentLength(request)
  if (announced !== undefined && announced > maxBytes) throw tooLarge()
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of new PacedBody(request, pace, tooSlow)) {
    length += chunk.byteLength
    if (length > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

/** Leaving a loop over the request itself destroys the socket before the client has read why. */
const chunksOf = (request: IncomingMessage): AsyncIterable<Buffer> => request.iterator({ destroyOnReturn: false })

/** How slow a body may come: so many bytes in each window of time, unless it ends before. */
export interface Pace {
  windowMs: number
  bytes: number
}

/** A line that barely carries a voice sends more than this in a minute; a client that sends less only holds the place. */
export const SLOWEST: Pace = { windowMs: 60_000, bytes: 16 * 1024 }

/** A deadline for the whole: no part of a body is enough in its one window. */
export const within = (windowMs: number): Pace => ({ windowMs, bytes: Number.POSITIVE_INFINITY })

/**
 * A request's body, which ends with 408 when it trickles. What came before was given, so that an upload can go on from there. By
 * batches it costs a fraction: Node makes a piece of every 64 KiB, and iterating over them is several promises for each.
 */
export class PacedBody implements Source {
  constructor(
    readonly request: IncomingMessage,
    readonly pace: Pace,
    readonly tooSlow: () => RegistryError = uploadTooSlow,
  ) {}

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const iterator = chunksOf(this.request)[Symbol.asyncIterator]()
    let came = 0
    // Set only while we wait for the client: it is no fault of it when the store is slow.
    let fail: ((error: Error) => void) | undefined
    const timer = setInterval(() => {
      if (came < this.pace.bytes) fail?.(this.tooSlow())
      came = 0
    }, this.pace.windowMs)
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

  /** Of at least `least` bytes but for the last one. */
  async *batches(least: number): AsyncGenerator<Batch> {
    const { request } = this
    const length = contentLength(request)
    let batch: Batch = { chunks: [], bytes: 0 }
    let came = 0
    let given = 0
    let end: 'whole' | Error | undefined
    // Set only while we wait for the client: it is no fault of it when the disk is slow.
    let wake: (() => void) | undefined
    const stop = (how: 'whole' | Error) => {
      end ??= how
      wake?.()
    }
    const onData = (chunk: Buffer) => {
      batch.chunks.push(chunk)
      batch.bytes += chunk.byteLength
      came += chunk.byteLength
      if (batch.bytes < least) return
      request.pause()
      wake?.()
    }
    const onEnd = () => stop('whole')
    const onError = (error: Error) => stop(error)
    const onClose = () => stop(new Error('the client went away'))
    const timer = setInterval(() => {
      if (came < this.pace.bytes && wake) stop(this.tooSlow())
      came = 0
    }, this.pace.windowMs)
    timer.unref()
    request.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose)
    if (request.readableEnded) onEnd()
    else if (request.destroyed) onClose()
    try {
      for (;;) {
        if (!end && batch.bytes < least) {
          await new Promise<void>((resolve) => {
            wake = resolve
            request.resume()
          })
          wake = undefined
        }
        const full = batch
        batch = { chunks: [], bytes: 0 }
        given += full.bytes
        if (given === length) full.last = true
        if (full.bytes > 0) yield full
        // What came while that batch was taken is given before the end is.
        if (end && batch.bytes === 0) {
          if (end === 'whole') return
          throw end
        }
      }
    } finally {
      clearInterval(timer)
      request.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose)
      // Who leaves early still answers on this connection.
      request.pause()
    }
  }
}

/** A body whose bytes are counted before they are taken; where the count has to wait, they wait too. */
export class MeteredBody implements Source {
  constructor(
    readonly body: PacedBody,
    readonly count: (bytes: number) => Promise<void> | undefined,
  ) {}

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for await (const chunk of this.body) {
      const counted = this.count(chunk.byteLength)
      if (counted) await counted
      yield chunk
    }
  }

  async *batches(least: number): AsyncGenerator<Batch> {
    for await (const batch of this.body.batches(least)) {
      const counted = this.count(batch.bytes)
      if (counted) await counted
      yield batch
    }
  }
}

const uploadTooSlow = () => {
  const message = 'The bytes of this upload come too slowly. Ask the upload how far it is, and go on from there.'
  return new RegistryError('BLOB_UPLOAD_INVALID', message, { status: 408 })
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
