/**
 * One blob on its way from an upstream into the store, and out to everybody who asked meanwhile. One fetch, whoever many wait:
 *
 * - Those who came before its first byte get the bytes as they come, but the last piece only when the digest was right and the blob
 *   lies in the store: nobody ever has all of a blob that is not what it claims.
 * - Those who read too slowly, or came later, get the rest out of the store afterwards; they slow nobody down.
 * - When it fails, nothing is kept, and connections that were given a part are cut off.
 */
import type { ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { newId } from '@slipway/core'
import { commitBlob } from '@slipway/db'
import type { Registry } from '../context'
import { DigestMismatchError } from '../store/store'
import type { Gate } from './gate'
import type { Remote } from './remote'

/** A client further behind than that gets the rest from the store. */
const MAX_BEHIND = 8 * 1024 * 1024
/** A client that waits for the store has no bytes on its line meanwhile; the server's own deadline is put back afterwards. */
const IDLE_MS = 120_000

interface Live {
  response: ServerResponse
  sent: number
  behind: boolean
}

export interface FlightPlan {
  registry: Pick<Registry, 'db' | 'store' | 'busyUploads' | 'maxBlobBytes'>
  remote: Remote
  gate: Gate
  repository: { id: string; name: string }
  digest: string
  onBytes: (bytes: number) => void
}

export class TooLargeForCache extends Error {
  constructor(readonly bytes: number) {
    super(`${bytes} bytes are more than the cache keeps`)
  }
}
const ignored = () => undefined

/** The upstream has no such blob, or not for us. */
export class NotThere extends Error {}

export class BlobFlight {
  readonly #live = new Set<Live>()
  #begun = false
  /** Resolves to the size when the upstream has begun to send; undefined: it did not say. */
  readonly head: Promise<number | undefined>
  /** Resolves when the blob is in the store, and linked. */
  readonly landed: Promise<void>

  constructor(readonly plan: FlightPlan) {
    let begin: (size: number | undefined) => void = ignored
    let fail: (error: unknown) => void = ignored
    this.head = new Promise((resolve, reject) => {
      begin = resolve
      fail = reject
    })
    this.landed = plan.gate
      .through(() => this.#fly(begin))
      .catch((error: unknown) => {
        fail(error)
        for (const { response } of this.#live) response.destroy()
        throw error
      })
    // Whoever waits hears of it; with nobody waiting it is nobody's failure.
    this.head.catch(ignored)
    this.landed.catch(ignored)
  }

  /** Sends the blob as it comes. False: it is too late for that, wait for `landed`. Resolves when all was sent. */
  async follow(response: ServerResponse, headers: (size: number | undefined) => Record<string, string | number>): Promise<boolean> {
    const size = await this.head
    if (this.#begun || response.destroyed) return false
    const live: Live = { response, sent: 0, behind: false }
    this.#live.add(live)
    response.once('close', () => this.#live.delete(live))
    response.socket?.setTimeout(0)
    try {
      response.writeHead(200, headers(size))
      await this.landed
      if (this.#live.has(live)) await this.#rest(live)
      return true
    } finally {
      response.socket?.setTimeout(IDLE_MS)
    }
  }

  async #fly(started: (size: number | undefined) => void): Promise<void> {
    const { registry, remote, repository, digest } = this.plan
    const { store, db, busyUploads } = registry
    const maxBytes = Math.min(registry.maxBlobBytes, remote.row.limitBytes)
    const answer = await remote.ask('GET', repository.name, `blobs/${digest}`)
    if (answer.status !== 200 || !answer.body) {
      await answer.body?.cancel()
      throw new NotThere(`the upstream answered ${answer.status}`)
    }
    const told = answer.headers.get('content-length')
    const size = told !== null && /^\d{1,15}$/.test(told) ? Number(told) : undefined
    const uploadId = newId('upload')
    busyUploads.add(uploadId)
    try {
      if (size !== undefined && size > maxBytes) throw new TooLargeForCache(size)
      started(size)
      // Those who waited for the head are heard before the first byte.
      await new Promise((resolve) => setImmediate(resolve))
      const stored = await this.#receive(answer.body, uploadId, maxBytes)
      if (size !== undefined && stored !== size) throw new DigestMismatchError(digest, `${stored} bytes instead of ${size}`)
      await store.seal(uploadId, digest)
      await commitBlob(db, { repositoryId: repository.id, digest, size: stored, place: () => store.place(uploadId, digest) })
    } catch (error) {
      await answer.body.cancel().catch(ignored)
      throw error instanceof DigestMismatchError ? remote.corrupt(error) : error
    } finally {
      await store.discard(uploadId)
      busyUploads.delete(uploadId)
    }
  }

  /** Into the store, and to the others one piece behind. */
  async #receive(body: ReadableStream<Uint8Array>, uploadId: string, maxBytes: number): Promise<number> {
    const { plan } = this
    const pieces = async function* (this: BlobFlight): AsyncIterable<Uint8Array> {
      let held: Uint8Array | undefined
      try {
        for await (const piece of body) {
          this.#begun = true
          plan.onBytes(piece.byteLength)
          yield piece
          if (held) this.#tell(held)
          held = piece
        }
      } catch (error) {
        throw plan.remote.failed(error, 'stopped in the middle of a layer')
      }
    }
    return plan.registry.store.append(uploadId, pieces.call(this), maxBytes)
  }

  #tell(piece: Uint8Array): void {
    for (const live of this.#live) {
      if (live.behind) continue
      if (live.response.writableLength > MAX_BEHIND) live.behind = true
      else {
        live.response.write(piece)
        live.sent += piece.byteLength
      }
    }
  }

  async #rest({ response, sent }: Live): Promise<void> {
    const { store } = this.plan.registry
    const size = await store.size(this.plan.digest)
    if (size === undefined) throw new Error('a blob that just landed is not in the store')
    if (sent === size) return void response.end()
    const rest = await store.open(this.plan.digest, { start: sent, end: size - 1 })
    if (!rest) throw new Error('a blob that just landed is not in the store')
    await pipeline(rest, response)
  }
}
