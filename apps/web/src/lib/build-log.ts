import type { views } from '@slipway/contracts'

export interface BuildLogLine {
  key: number
  at: Date
  text: string
  stream: views.LogChunkView['stream']
}

/** Lines of the pipeline itself (checkout, publish), not of a step. */
export const PIPELINE = 0
/** Of a step that writes without end, the newest lines are kept. */
const CAP = 20_000

/**
 * Chunks of a build's log as lines per step. A chunk may end in the middle of a line; the rest comes with the next chunk of
 * the same step and stream. Chunks that were seen already (a stream that began anew) are left out.
 */
export class BuildLog {
  private readonly open = new Map<string, BuildLogLine>()
  private readonly byStep = new Map<number, BuildLogLine[]>()
  private lastSeq = 0
  private nextKey = 0

  /** Returns the steps that got lines. */
  append(chunks: views.LogChunkView[]): Set<number> {
    const touched = new Map<number, BuildLogLine[]>()
    for (const chunk of chunks) {
      if (chunk.seq <= this.lastSeq) continue
      this.lastSeq = chunk.seq
      const step = chunk.position ?? PIPELINE
      let lines = touched.get(step)
      if (!lines) {
        lines = [...(this.byStep.get(step) ?? [])]
        touched.set(step, lines)
      }
      this.addChunk(lines, step, chunk)
    }
    for (const [step, lines] of touched) this.byStep.set(step, lines.length > CAP ? lines.slice(-CAP) : lines)
    return new Set(touched.keys())
  }

  lines(step: number): BuildLogLine[] {
    return this.byStep.get(step) ?? NONE
  }

  private addChunk(lines: BuildLogLine[], step: number, chunk: views.LogChunkView) {
    const stream = `${step}:${chunk.stream}`
    const parts = chunk.text.split('\n')
    const rest = parts.pop() ?? ''
    const begun = this.open.get(stream)
    this.open.delete(stream)
    const push = (text: string) => {
      const line = { key: this.nextKey++, at: chunk.at, text, stream: chunk.stream }
      lines.push(line)
      return line
    }
    let from = 0
    if (begun) {
      // The line that was cut is replaced by a longer one, so that what was drawn of it is drawn again.
      const at = lines.lastIndexOf(begun)
      const whole = { ...begun, text: begun.text + (parts[0] ?? rest) }
      if (at >= 0) lines[at] = whole
      if (parts.length === 0) {
        this.open.set(stream, whole)
        return
      }
      from = 1
    }
    for (const text of parts.slice(from)) push(text)
    if (rest !== '') this.open.set(stream, push(rest))
  }
}

const NONE: BuildLogLine[] = []
