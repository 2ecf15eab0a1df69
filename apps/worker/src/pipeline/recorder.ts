import type { BuildEvent, BuildPlan } from '@slipway/contracts'
import { channels } from '@slipway/contracts'
import type { StepState } from '@slipway/core'
import { appendBuildLogs, type LogChunkInput, lastBuildLogSeq, replaceBuildSteps, updateBuildStep } from '@slipway/db'
import type { Deps } from '../deps'
import { inputsOf } from './inputs'

/** Collected before it is written: often enough to read as live, seldom enough that 5,000 lines are a few inserts. */
const FLUSH_MS = 120
/** Reading from the agent pauses (and with it the build's output) while this much is unwritten. */
const MAX_BUFFERED = 512 * 1024
/** The last lines of each step, for the error shown on top. */
const TAIL_LINES = 20

/** Writes a build's steps and log to Postgres as they happen, and tells readers to look. */
export class BuildRecorder {
  private readonly positions = new Map<string, number>()
  private readonly tails = new Map<number, string>()
  private buffer: LogChunkInput[] = []
  private buffered = 0
  private timer: NodeJS.Timeout | undefined
  private writing: Promise<void> = Promise.resolve()

  private constructor(
    private readonly deps: Deps,
    private readonly buildId: string,
    private seq: number,
  ) {}

  static async open(deps: Deps, buildId: string): Promise<BuildRecorder> {
    return new BuildRecorder(deps, buildId, await lastBuildLogSeq(deps.db, buildId))
  }

  /** The pipeline's own words: checkout, publish. */
  say(text: string): Promise<void> {
    return this.append(null, 'system', new Date(), `${text}\n`)
  }

  async begin(plan: BuildPlan): Promise<void> {
    plan.vertices.forEach((vertex, i) => {
      this.positions.set(vertex.id, i + 1)
    })
    await replaceBuildSteps(
      this.deps.db,
      this.buildId,
      plan.vertices.map((vertex, i) => ({
        position: i + 1,
        vertexId: vertex.id,
        stage: vertex.stage,
        platform: vertex.platform ?? null,
        name: vertex.name,
        instruction: vertex.instruction,
        line: vertex.line,
        inputs: inputsOf(vertex.op).flatMap((id) => this.positions.get(id) ?? []),
      })),
    )
    this.signal()
  }

  async event(event: BuildEvent): Promise<void> {
    if (event.type === 'log') {
      const position = this.positions.get(event.id) ?? null
      if (position !== null) this.tails.set(position, ((this.tails.get(position) ?? '') + event.data).slice(-8192))
      await this.append(position, event.stream, new Date(event.at), event.data)
    } else if (event.type === 'vertex') {
      const position = this.positions.get(event.id)
      if (position === undefined) return
      const over = event.status !== 'running'
      await updateBuildStep(this.deps.db, this.buildId, event.id, {
        state: event.status satisfies StepState,
        ...(event.status === 'running' && { startedAt: new Date(event.at) }),
        ...(over && { finishedAt: new Date(event.at), durationMs: event.durationMs === undefined ? null : Math.round(event.durationMs) }),
        ...(event.status === 'cached' && { startedAt: new Date(event.at - (event.durationMs ?? 0)) }),
        ...(event.miss && { missReason: event.miss.reason, missDetail: event.miss.detail.slice(0, 2000) }),
        ...(event.layer && {
          layerDigest: event.layer.digest,
          layerSize: BigInt(event.layer.size),
          unpackedSize: BigInt(event.layer.unpackedSize),
        }),
        ...(event.exitCode !== undefined && { exitCode: event.exitCode }),
        ...(event.peakMemoryBytes !== undefined && { peakMemoryBytes: BigInt(Math.round(event.peakMemoryBytes)) }),
        ...(event.cpuMs !== undefined && { cpuMs: Math.round(event.cpuMs) }),
        ...(event.waitMs !== undefined && { waitMs: Math.round(event.waitMs) }),
        ...(event.diskReadBytes !== undefined && { diskReadBytes: BigInt(Math.round(event.diskReadBytes)) }),
        ...(event.diskWrittenBytes !== undefined && { diskWrittenBytes: BigInt(Math.round(event.diskWrittenBytes)) }),
      })
      this.signal()
    }
  }

  position(vertexId: string | undefined): number | undefined {
    return vertexId === undefined ? undefined : this.positions.get(vertexId)
  }

  tail(position: number | undefined): string[] {
    if (position === undefined) return []
    return (this.tails.get(position) ?? '').trimEnd().split('\n').slice(-TAIL_LINES)
  }

  /** Resolves when everything said so far is in Postgres. */
  async flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    const chunks = this.buffer
    this.buffer = []
    this.buffered = 0
    if (chunks.length > 0) {
      this.writing = this.writing.then(async () => {
        await appendBuildLogs(this.deps.db, this.buildId, chunks)
      })
      await this.writing
      this.signal()
    } else await this.writing
  }

  private async append(position: number | null, stream: LogChunkInput['stream'], at: Date, text: string): Promise<void> {
    const previous = this.buffer.at(-1)
    if (previous && previous.position === position && previous.stream === stream && previous.text.length < 16_384) previous.text += text
    else this.buffer.push({ seq: ++this.seq, position, stream, at, text })
    this.buffered += text.length
    if (this.buffered > MAX_BUFFERED) return this.flush()
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.flush().catch((error) => this.deps.log.error({ err: error, buildId: this.buildId }, 'could not write build log'))
    }, FLUSH_MS)
  }

  private signal(): void {
    this.deps.signals.publish(channels.build(this.buildId))
  }
}
