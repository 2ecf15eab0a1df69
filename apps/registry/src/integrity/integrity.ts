/**
 * Whether blobs are still what was pushed (docs/adr/0017). Hashing every byte of every pull would cost more than sending it, so a blob
 * is hashed when there is a reason to: nobody looked for long, its file was written to after that, or it was found damaged.
 *
 * Bytes that are not what their digest says are moved aside, never deleted; the row stays, marked as damaged. Clients hear 404 then,
 * which makes them push it again, and that heals it. Before that, `repairers` are asked in turn.
 */
import { condemnBlob, type Db, findBlob, markSound, type Verdict } from '@slipway/db'
import { parseDigest } from '@slipway/oci'
import { StreamingDigest } from '@slipway/oci/node'
import type { Logger } from 'pino'
import type { BlobStore } from '../store/store'
import type { Pace } from './pace'

const DAY_MS = 24 * 3_600_000
/** Clocks of the database's writer and of the disk are one, but rounded differently. */
const CLOCK_MS = 2000

export interface IntegrityOptions {
  db: Db
  store: BlobStore
  log: Logger
  /** A pull hashes what nobody has looked at for so long. */
  staleAfterMs?: number
}

export type FoundBy = 'read' | 'scrub' | 'verify'

export class Integrity {
  readonly #options: Required<IntegrityOptions>
  /** Each brings back the bytes of a blob (an upstream, a replica) through `commitBlob`, and tells whether it did. */
  readonly repairers: ((digest: string) => Promise<boolean>)[] = []
  readonly #running = new Map<string, Promise<Verdict>>()

  constructor(options: IntegrityOptions) {
    this.#options = { staleAfterMs: 30 * DAY_MS, ...options }
  }

  /** Whether a blob must be hashed before, or while, it is sent. `writtenAt`: when its file last changed, if the store tells. */
  doubts({ verifiedAt, damagedAt }: { verifiedAt: Date; damagedAt: Date | null }, writtenAt?: Date): boolean {
    if (damagedAt) return true
    if (Date.now() - verifiedAt.getTime() > this.#options.staleAfterMs) return true
    return writtenAt !== undefined && writtenAt.getTime() > verifiedAt.getTime() + CLOCK_MS
  }

  /** A pull hashed all of it on the way, and it was right. */
  async passed(digest: string): Promise<void> {
    if (await markSound(this.#options.db, digest, 'read')) this.#options.log.info({ digest }, 'a blob that was thought damaged is sound')
  }

  /** Reads all of it, and takes it out of service when it is not what it should be. One reading at a time per blob. */
  check(digest: string, foundBy: FoundBy, pace?: Pace): Promise<Verdict> {
    const running = this.#running.get(digest)
    if (running) return running
    const check = this.#check(digest, foundBy, pace).finally(() => this.#running.delete(digest))
    this.#running.set(digest, check)
    return check
  }

  async #check(digest: string, foundBy: FoundBy, pace?: Pace): Promise<Verdict> {
    const { db, store, log } = this.#options
    const seen = await this.judge(digest, pace)
    if (seen.state === 'sound') {
      await markSound(db, digest, foundBy)
      return seen
    }
    const quarantine = () => store.quarantine(digest)
    const verdict = await condemnBlob(db, { digest, foundBy, judge: () => this.judge(digest), quarantine })
    if (!verdict || verdict.state === 'sound') return verdict ?? seen
    log.error({ digest, foundBy, ...verdict }, 'a blob is damaged or missing in the store; it was taken out of service')
    for (const repair of this.repairers) {
      const repaired = await repair(digest).catch((error: unknown) => {
        log.warn({ digest, err: error }, 'a damaged blob could not be repaired from there')
        return false
      })
      const now = repaired ? await this.judge(digest) : verdict
      if (now.state !== 'sound') continue
      await markSound(db, digest, 'repair')
      log.info({ digest }, 'a damaged blob was repaired')
      return now
    }
    return verdict
  }

  /** What lies there now. Changes nothing. */
  async judge(digest: string, pace?: Pace): Promise<Verdict> {
    const source = await this.#options.store.open(digest)
    if (!source) return { state: 'missing' }
    const { algorithm } = parseDigest(digest)
    const hash = new StreamingDigest(algorithm)
    try {
      for await (const chunk of source as AsyncIterable<Uint8Array>) {
        hash.update(chunk)
        await pace?.spend(chunk.byteLength)
      }
    } catch (error) {
      // The disk itself says that it cannot read this any more.
      if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error
      return { state: 'damaged', size: hash.bytes, actual: 'unreadable' }
    }
    const actual = hash.current()
    return actual === digest ? { state: 'sound', size: hash.bytes } : { state: 'damaged', size: hash.bytes, actual }
  }

  /** A request came upon a blob that is not as its row says: looked at apart from the request, which has been answered by then. */
  suspect(digest: string): void {
    void (async () => {
      const row = await findBlob(this.#options.db, digest)
      if (row) await this.check(digest, 'read')
    })().catch((error: unknown) => this.#options.log.error({ digest, err: error }, 'a suspected blob could not be looked at'))
  }
}
