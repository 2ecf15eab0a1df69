import { RegistryError } from '../errors'

const MAX_WAITING = 500

/** At most so many at once; the others wait their turn, not without end. */
export class Gate {
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(readonly places: number) {}

  async through<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.places) {
      if (this.#waiting.length >= MAX_WAITING)
        throw new RegistryError('TOOMANYREQUESTS', 'Too many layers are being fetched at once. Try again in a moment.', {
          headers: { 'retry-after': '5' },
        })
      // The one who ends hands its place over, so #running stays.
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}
