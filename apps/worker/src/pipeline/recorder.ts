import type { BuildEvent, BuildPlan } from '@slipway/contracts'
import { channels } from '@slipway/contracts'
import type { StepState } from '@slipway/core'
import {
  appendBuildLogs,
  type BuildStepFacts,
  type LogChunkInput,
  lastBuildLogSeq,
  type Prisma,
  replaceBuildSteps,
  updateBuildSteps,
  updateRunningBuild,
} from '@slipway/db'
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
  /** By vertex: the digest of the file that a URL gave. */
  readonly fetched = new Map<string, string>()
  private readonly positions = new Map<string, number>()
  private readonly tails = new Map<number, string>()
  private buffer: LogChunkInput[] = []
  private buffered = 0
  private timer: NodeJS.Timeout | undefined
  /** Said of steps and not written yet. */
  private steps = new Map<string, BuildStepFacts>()
  /** One after the other, in the order in which it was said; nobody waits for it but `flush`. */
  private writing: Promise<void> = Promise.resolve()
  private failed: unknown

  private constructor(
    private readonly deps: Deps,
    private readonly buildId: string,
    private seq: number,
  ) {}

  /** `attempt`: the first has no log yet. */
  static async open(deps: Deps, { id, attempt }: { id: string; attempt: number }): Promise<BuildRecorder> {
    return new BuildRecorder(deps, id, attempt > 1 ? await lastBuildLogSeq(deps.db, id) : 0)
  }

  /** The pipeline's own words: checkout, publish. */
  say(text: string): Promise<void> {
    return this.append(null, 'system', new Date(), `${text}\n`)
  }

  /** Facts of the build itself, only while it runs. */
  note(facts: Prisma.BuildUncheckedUpdateManyInput, then: () => void): void {
    this.write(async () => {
      await updateRunningBuild(this.deps.db, this.buildId, facts)
      then()
    })
  }

  begin(plan: BuildPlan): void {
    plan.vertices.forEach((vertex, i) => {
      this.positions.set(vertex.id, i + 1)
    })
    const rows = plan.vertices.map((vertex, i) => ({
      position: i + 1,
      vertexId: vertex.id,
      stage: vertex.stage,
      platform: vertex.platform ?? null,
      name: vertex.name,
      instruction: vertex.instruction,
      line: vertex.line,
      inputs: inputsOf(vertex.op).flatMap((id) => this.positions.get(id) ?? []),
    }))
    // What was said of another attempt's steps is over with them.
    this.steps = new Map()
    this.fetched.clear()
    this.write(() => replaceBuildSteps(this.deps.db, this.buildId, rows))
  }

  async event(event: BuildEvent): Promise<void> {
    if (event.type === 'log') {
      const position = this.positions.get(event.id) ?? null
      if (position !== null) this.tails.set(position, ((this.tails.get(position) ?? '') + event.data).slice(-8192))
      await this.append(position, event.stream, new Date(event.at), event.data)
    } else if (event.type === 'vertex') {
      const position = this.positions.get(event.id)
      if (position === undefined) return
      if (event.contentDigest) this.fetched.set(event.id, event.contentDigest)
      const over = event.status !== 'running'
      this.steps.set(event.id, {
        ...this.steps.get(event.id),
        state: event.status satisfies StepState,
        ...(event.status === 'running' && { startedAt: new Date(event.at) }),
        ...(over && { finishedAt: new Date(event.at) }),
        ...(over && event.durationMs !== undefined && { durationMs: Math.round(event.durationMs) }),
        ...(event.status === 'cached' && { startedAt: new Date(event.at - (event.durationMs ?? 0)) }),
        ...(event.miss && { missReason: event.miss.reason, missDetail: event.miss.detail.slice(0, 2000) }),
        ...(event.layer && { layerDigest: event.layer.digest, layerSize: event.layer.size, unpackedSize: event.layer.unpackedSize }),
        ...(event.exitCode !== undefined && { exitCode: event.exitCode }),
        ...(event.peakMemoryBytes !== undefined && { peakMemoryBytes: Math.round(event.peakMemoryBytes) }),
        ...(event.cpuMs !== undefined && { cpuMs: Math.round(event.cpuMs) }),
        ...(event.waitMs !== undefined && { waitMs: Math.round(event.waitMs) }),
        ...(event.diskReadBytes !== undefined && { diskReadBytes: Math.round(event.diskReadBytes) }),
        ...(event.diskWrittenBytes !== undefined && { diskWrittenBytes: Math.round(event.diskWrittenBytes) }),
      })
      if (this.failed !== undefined) throw this.failed
      this.writeSteps()
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
    this.writeLogs()
    await this.writing
    if (this.failed !== undefined) throw this.failed
  }

  private writeLogs(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    const chunks = this.buffer
    this.buffer = []
    this.buffered = 0
    if (chunks.length > 0) this.write(() => appendBuildLogs(this.deps.db, this.buildId, chunks))
  }

  private writeSteps(): void {
    // What was said before the step's news is read before it.
    this.writeLogs()
    this.write(async () => {
      const { steps } = this
      if (steps.size === 0) return false
      this.steps = new Map()
      return updateBuildSteps(this.deps.db, this.buildId, steps)
    })
  }

  /** `work` gives false when there was nothing to write. */
  private write(work: () => Promise<unknown>): void {
    this.writing = this.writing.then(async () => {
      try {
        if ((await work()) !== false) this.signal()
      } catch (error) {
        this.failed ??= error
      }
    })
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
