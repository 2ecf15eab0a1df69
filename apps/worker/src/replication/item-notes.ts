/** Writes down how far one tag is: when a blob is done, and every second while one moves. What was moved before a crash stays counted. */
import { channels } from '@slipway/contracts'
import { noteReplicationItem, type ReplicationItemRow } from '@slipway/db'
import type { CopyProgress } from '@slipway/oci/copy'
import type { ReplicationDeps } from './run'

const EVERY_MS = 1000

export class ItemNotes {
  #written: Promise<unknown> = Promise.resolve()
  #waiting = false
  #timer: NodeJS.Timeout | undefined
  #at = 0
  #blobs = 0
  #last: CopyProgress | undefined

  constructor(
    readonly deps: Pick<ReplicationDeps, 'db' | 'signals' | 'log'>,
    readonly organizationId: string,
    readonly before: ReplicationItemRow,
  ) {}

  note(progress: CopyProgress): void {
    this.#last = progress
    const done = progress.moved.blobs + progress.skipped.blobs
    const wait = done === this.#blobs ? this.#at + EVERY_MS - Date.now() : 0
    this.#blobs = done
    if (wait <= 0) this.#write()
    else this.#timer ??= setTimeout(() => this.#write(), wait)
  }

  async end(data: Parameters<typeof noteReplicationItem>[2]): Promise<void> {
    this.stop()
    await this.#written
    await noteReplicationItem(this.deps.db, this.before, { ...this.#columns(), ...data })
    this.deps.signals.publish(channels.organization(this.organizationId))
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** One at a time; what comes meanwhile is in the next. */
  #write(): void {
    this.stop()
    if (this.#waiting) return
    this.#waiting = true
    this.#written = this.#written.then(async () => {
      this.#waiting = false
      this.#at = Date.now()
      await noteReplicationItem(this.deps.db, this.before, this.#columns()).catch((error: unknown) =>
        this.deps.log.warn({ err: error }, 'how far a replication is could not be written'),
      )
      this.deps.signals.publish(channels.organization(this.organizationId))
    })
  }

  #columns() {
    if (!this.#last) return {}
    const { blobs, bytes, moved, skipped } = this.#last
    const { movedBlobs, movedBytes } = this.before
    return {
      blobs,
      bytes: whole(bytes),
      movedBlobs: movedBlobs + moved.blobs,
      movedBytes: movedBytes + whole(moved.bytes),
      // Those that an earlier attempt moved are there now, and are counted above.
      skippedBlobs: Math.max(0, skipped.blobs - movedBlobs),
      skippedBytes: whole(skipped.bytes - Number(movedBytes)),
    }
  }
}

/** Sizes are what manifests claim: the sum of a hostile one is more than the column holds. */
const whole = (bytes: number) => BigInt(Math.min(Math.max(0, bytes), Number.MAX_SAFE_INTEGER))
