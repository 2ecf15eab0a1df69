import type { views } from '@slipway/contracts'
import { formatBytes, formatDuration } from '@slipway/core'
import type { Tone } from '@slipway/ui'

export const RUN: Record<views.ReplicationStateView, { tone: Tone; word: string; pulse?: boolean }> = {
  queued: { tone: 'idle', word: 'Waiting' },
  running: { tone: 'busy', word: 'Running', pulse: true },
  succeeded: { tone: 'live', word: 'Done' },
  failed: { tone: 'fail', word: 'Failed' },
  canceled: { tone: 'idle', word: 'Canceled' },
}
export const ITEM: typeof RUN = {
  ...RUN,
  running: { tone: 'busy', word: 'Copying', pulse: true },
  succeeded: { tone: 'live', word: 'Copied' },
}

export function runState(run: views.ReplicationRunView): { tone: Tone; word: string; pulse?: boolean } {
  if (run.canceling) return { tone: 'busy', word: 'Ending', pulse: true }
  if (run.notBefore) return { tone: 'fail', word: 'Tries again' }
  return RUN[run.state]
}

/** The state of a rule in one word: that of its last run. */
export function ruleState({ enabled, last }: views.ReplicationRuleView): { tone: Tone; word: string; pulse?: boolean } {
  if (!enabled) return { tone: 'idle', word: 'Off' }
  return last ? runState(last) : { tone: 'idle', word: 'Not run yet' }
}

export const hostOf = (remote: string) => remote.replace(/^https?:\/\//, '')

/** What becomes of `api` under the rule, on the side that it goes to. */
export function whereTo(
  org: string,
  { direction, target, remote }: Pick<views.ReplicationRuleView, 'direction' | 'target' | 'remote'>,
): string {
  const at = direction === 'push' ? hostOf(remote) : org
  return [at, target, '…'].filter(Boolean).join('/')
}

export const INTERVALS = [
  { value: '', label: 'By hand only' },
  { value: '15', label: 'Every 15 minutes' },
  { value: '60', label: 'Every hour' },
  { value: '360', label: 'Every 6 hours' },
  { value: '1440', label: 'Every day' },
  { value: '10080', label: 'Every week' },
]

export function everyWord(minutes: number): string {
  const known = INTERVALS.find(({ value }) => value === String(minutes))
  return known ? known.label : `Every ${formatDuration(minutes * 60_000)}`
}

export function whenWord({ everyMinutes, onPush }: Pick<views.ReplicationRuleView, 'everyMinutes' | 'onPush'>): string {
  const times = [...(onPush ? ['With each push'] : []), ...(everyMinutes === null ? [] : [everyWord(everyMinutes)])]
  if (times.length === 0) return 'By hand only'
  return times.map((text, i) => (i === 0 ? text : text.toLowerCase())).join(', ')
}

export const TRIGGER: Record<views.ReplicationRunView['trigger'], string> = { manual: 'By hand', push: 'Push', schedule: 'Schedule' }

export const tagsIn = ({ items }: views.ReplicationRunView) => Object.values(items).reduce((sum, count) => sum + count, 0)
export const plural = (n: number, one: string) => `${n.toLocaleString('en')} ${n === 1 ? one : `${one}s`}`

const alreadyThere = ({ skippedBytes }: views.ReplicationRunView) =>
  skippedBytes > 0 ? `, ${formatBytes(skippedBytes)} already there` : ''

/** `3 of 12 tags, 40 MB moved, 1.2 GB already there` */
export function soFar(run: views.ReplicationRunView): string {
  const all = tagsIn(run)
  if (all === 0)
    return run.state === 'succeeded' ? 'Nothing matched' : run.startedAt && !run.finishedAt ? 'Looking what there is' : 'Nothing copied'
  const done = run.items.succeeded
  // Of one tag its bytes say more; how many those of several are is known when the last one has begun.
  if (all === 1 && run.state === 'running' && run.bytes > 0)
    return `${formatBytes(run.movedBytes + run.skippedBytes)} of ${formatBytes(run.bytes)}${alreadyThere(run)}`
  const tags = done === all ? plural(all, 'tag') : `${done.toLocaleString('en')} of ${plural(all, 'tag')}`
  const moved = run.movedBytes > 0 ? `${formatBytes(run.movedBytes)} moved` : 'nothing moved'
  return `${tags}, ${moved}${alreadyThere(run)}`
}

/** Of a time ahead; the pages read again every few seconds, so this counts down by itself. */
export function inWords(at: Date, now = Date.now()): string {
  const ms = at.getTime() - now
  if (ms < 1000) return 'now'
  // Minutes of days ahead, or seconds of hours, are nobody's question.
  const step = ms > 3 * 3_600_000 ? 3_600_000 : ms > 120_000 ? 60_000 : 1000
  return `in ${formatDuration(Math.floor(ms / step) * step)}`
}
