import type { views } from '@slipway/contracts'

const REASONS: Record<string, string> = {
  'first-time': 'first time',
  'files-changed': 'its files changed',
  'input-changed': 'its input changed',
  'instruction-changed': 'its instruction changed',
  'base-moved': 'its base image moved',
  evicted: 'it had left the cache',
  'no-cache': 'built without the cache',
}

/** Why a step did not come from the cache, in words; null when that is not known, or it did. */
export const reasonOf = ({ missDetail, missReason }: Pick<views.BuildStepView, 'missDetail' | 'missReason'>): string | null =>
  missDetail ?? (missReason ? (REASONS[missReason] ?? missReason.replaceAll('-', ' ')) : null)

/** The same where room is scarce: of one that ran because another did, which one. Why that one did stands at it. */
export const shortReasonOf = (step: Parameters<typeof reasonOf>[0]): string | null => {
  const reason = reasonOf(step)
  return reason === null ? null : (/^(because of line \d+, `.*?`): /s.exec(reason)?.[1] ?? reason)
}
