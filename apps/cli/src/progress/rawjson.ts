/** As BuildKit's rawjson: one object a line with `vertexes` that changed and `logs` (base64) that are new. */
import { createHash } from 'node:crypto'
import type { views } from '@slipway/contracts'
import type { BuildProgress } from './progress'

export class RawJsonProgress implements BuildProgress {
  readonly #write: (text: string) => void
  readonly #told = new Map<number, string>()

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  update(build: views.BuildView, logs: readonly views.LogChunkView[]): void {
    const digest = (position: number) => `sha256:${createHash('sha256').update(`${build.id} ${position}`).digest('hex')}`
    const vertexes = build.steps.flatMap((step) => {
      const vertex = {
        digest: digest(step.position),
        ...(step.inputs.length > 0 && { inputs: step.inputs.map(digest) }),
        name: step.name,
        ...(step.startedAt && { started: step.startedAt }),
        ...(step.finishedAt && { completed: step.finishedAt }),
        ...(step.state === 'cached' && { cached: true }),
        ...(step.state === 'failed' && { error: build.error?.message ?? 'failed' }),
        ...(step.state === 'canceled' && { error: 'canceled' }),
      }
      const text = JSON.stringify(vertex)
      if (this.#told.get(step.position) === text) return []
      this.#told.set(step.position, text)
      return [vertex]
    })
    const lines = logs.flatMap(({ position, stream, at, text }) =>
      position === null
        ? []
        : [{ vertex: digest(position), stream: stream === 'stderr' ? 2 : 1, data: Buffer.from(text).toString('base64'), timestamp: at }],
    )
    if (vertexes.length === 0 && lines.length === 0) return
    this.#write(`${JSON.stringify({ ...(vertexes.length > 0 && { vertexes }), ...(lines.length > 0 && { logs: lines }) })}\n`)
  }

  end(): void {
    // Every line was whole.
  }
}
