import { setTimeout as sleep } from 'node:timers/promises'

/** At most so many bytes a second, on the average: who looks at old blobs must not slow down who pulls new ones. */
export class Pace {
  #paidUntil = 0

  constructor(
    readonly bytesPerSecond: number,
    readonly signal?: AbortSignal,
  ) {}

  /** Waits until the bytes that were spent before have been paid for. Rejects when stopped. */
  async spend(bytes: number): Promise<void> {
    const now = Date.now()
    this.#paidUntil = Math.max(this.#paidUntil, now) + (bytes / this.bytesPerSecond) * 1000
    // A timer of less is not worth its switch.
    if (this.#paidUntil - now > 20) await sleep(this.#paidUntil - now, undefined, { signal: this.signal })
    else this.signal?.throwIfAborted()
  }
}
