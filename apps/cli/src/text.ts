/** Small pieces of text that several commands share. */
import type { views } from '@slipway/contracts'
import { type BuildState, type DeploymentState, formatAgo, formatDuration } from '@slipway/core'
import { type Palette, plain } from './output'

export const ago = (at: Date | null): string => (at ? formatAgo(at) : '–')
export const duration = (ms: number | null): string => (ms === null ? '–' : formatDuration(ms))

export const commit = (value: views.CommitView | null): string =>
  value ? `${value.sha.slice(0, 7)} ${value.message.split('\n')[0] ?? ''}` : '–'

const GOOD: readonly string[] = ['live', 'succeeded', 'serving', 'running', 'done', 'cached', 'online', 'ok'] satisfies (
  | BuildState
  | DeploymentState
  | string
)[]
const BAD: readonly string[] = ['failed', 'exited', 'offline', 'down']
const BUSY: readonly string[] = ['building', 'deploying', 'queued', 'starting', 'checking', 'switching']

/** State is a word first; the colour only repeats it. */
export function paintState(state: string, colors: Palette): string {
  if (BAD.includes(state)) return colors.bad(state)
  if (BUSY.includes(state)) return colors.busy(state)
  return GOOD.includes(state) ? colors.good(state) : colors.dim(state)
}

/** An error of a build or a deployment, with the last lines that the step wrote. */
export function errorText(error: views.ErrorView, colors: Palette): string {
  const { file, line, instruction, lastLines = [] } = error.details
  const where =
    line === undefined
      ? []
      : [`${file ?? 'Dockerfile'}:${line}${typeof instruction === 'string' ? ` | ${instruction.split('\n')[0]}` : ''}`]
  return [colors.bad(error.message), ...where.map((text) => `  ${colors.dim(plain(text))}`), ...lastLines.map((line) => `  ${line}`)].join(
    '\n',
  )
}
