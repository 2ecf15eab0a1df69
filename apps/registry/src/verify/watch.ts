import { randomUUID } from 'node:crypto'
import { claimVerification } from '@slipway/db'
import { runVerification, VerificationLostError, type VerifierOptions } from './verifier'

const LOOK_MS = 3000

/** Takes verifications that the panel asked for, and those that a process left when it died. */
export class VerificationWatch {
  readonly #options: Omit<VerifierOptions, 'signal' | 'onProgress'>
  readonly #holder = randomUUID()
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<unknown> | undefined

  constructor(options: Omit<VerifierOptions, 'signal' | 'onProgress'>) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.look()
        .catch((error: unknown) => {
          if (this.#stop.signal.aborted || error instanceof VerificationLostError) return
          this.#options.log.error({ err: error }, 'looking for a verification failed')
        })
        .finally(() => {
          this.#running = undefined
        })
    }, LOOK_MS)
    this.#timer.unref()
  }

  async look(): Promise<boolean> {
    const row = await claimVerification(this.#options.db, this.#holder)
    if (!row) return false
    await runVerification({ ...this.#options, signal: this.#stop.signal }, row, this.#holder)
    return true
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stop.abort()
    await this.#running
  }
}
