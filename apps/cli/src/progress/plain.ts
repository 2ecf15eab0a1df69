/** As BuildKit's plain progress: `#4 [2/3] RUN make`, `#4 0.213 its output`, `#4 DONE 1.2s`. */
import type { views } from '@slipway/contracts'
import { plain } from '../output'
import { type BuildProgress, elapsed, seconds } from './progress'

export class PlainProgress implements BuildProgress {
  readonly #write: (text: string) => void
  readonly #states = new Map<number, string>()
  /** Of each step (0: the pipeline), the line that is not over yet. */
  readonly #rest = new Map<number, string>()

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  update(build: views.BuildView, logs: readonly views.LogChunkView[]): void {
    const steps = new Map(build.steps.map((step) => [step.position, step]))
    // What ended without a word before what is still talking, so that each step's lines stay together.
    const talking = new Set(logs.map(({ position }) => position))
    this.#tell(build.steps.filter((step) => !talking.has(step.position)))
    for (const chunk of logs) {
      const step = chunk.position === null ? undefined : steps.get(chunk.position)
      if (step) this.#begin(step)
      this.#log(step, chunk)
    }
    this.#tell(build.steps)
  }

  #tell(steps: readonly views.BuildStepView[]): void {
    for (const step of steps) {
      if (step.state === 'pending' || step.state === 'skipped') continue
      this.#begin(step)
      if (step.state === 'running' || this.#states.get(step.position) === step.state) continue
      this.#states.set(step.position, step.state)
      this.#flush(step.position)
      const why = step.state === 'done' && step.missDetail ? ` (${plain(step.missDetail)})` : ''
      const words = { cached: 'CACHED', done: `DONE ${seconds(elapsed(step, Date.now()))}${why}`, failed: 'ERROR', canceled: 'CANCELED' }
      this.#write(`#${step.position} ${words[step.state]}\n\n`)
    }
  }

  end(): void {
    for (const position of this.#rest.keys()) this.#flush(position)
  }

  #begin(step: views.BuildStepView): void {
    if (this.#states.has(step.position)) return
    this.#states.set(step.position, 'running')
    this.#write(`#${step.position} ${plain(step.name)}\n`)
  }

  #log(step: views.BuildStepView | undefined, { text, at }: views.LogChunkView): void {
    const position = step?.position ?? 0
    const lines = `${this.#rest.get(position) ?? ''}${text}`.split('\n')
    this.#rest.set(position, lines.pop() ?? '')
    const since = step?.startedAt ? ` ${(Math.max(0, at.getTime() - step.startedAt.getTime()) / 1000).toFixed(3)}` : ''
    for (const line of lines) this.#write(position === 0 ? `${plain(line)}\n` : `#${position}${since} ${plain(line)}\n`)
  }

  #flush(position: number): void {
    const rest = this.#rest.get(position)
    this.#rest.delete(position)
    if (rest) this.#write(position === 0 ? `${plain(rest)}\n` : `#${position} ${plain(rest)}\n`)
  }
}
