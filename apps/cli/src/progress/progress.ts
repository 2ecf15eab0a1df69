/** How a build is shown while it runs; `update` gets the whole build and the log chunks that are new. */
import type { views } from '@slipway/contracts'

export interface BuildProgress {
  update(build: views.BuildView, logs: readonly views.LogChunkView[]): void
  /** The last update has come. */
  end(): void
}

export const MODES = ['auto', 'plain', 'tty', 'rawjson', 'quiet'] as const
export type Mode = (typeof MODES)[number]

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)}s`

/** How long a step has taken by now, or took. */
export function elapsed(step: views.BuildStepView, now: number): number {
  if (step.durationMs !== null) return step.durationMs
  return step.startedAt === null ? 0 : Math.max(0, now - step.startedAt.getTime())
}
