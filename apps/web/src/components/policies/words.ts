import type { views } from '@slipway/contracts'

export const plural = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

/** `2 tags and 1 image`, `3 untagged images`: what went or would go, without what is nothing. */
export function goneText(tags: number, images: number): string {
  if (tags === 0) return plural(images, 'untagged image')
  return images === 0 ? plural(tags, 'tag') : `${plural(tags, 'tag')} and ${plural(images, 'image')}`
}

type Because = views.RetentionPreviewView['kept'][number]['because']

/** Why a tag stays. */
export const KEPT_TEXT: Record<Because, string> = {
  'no-rule': 'no rule is for tags',
  rule: 'immutable or protected',
  deployed: 'runs, or can be rolled back to',
  followed: 'an app is deployed from it',
  cache: 'a build cache',
  pattern: 'kept by its name',
  last: 'among the last pushed',
  recent: 'pushed or pulled lately',
}

export const RULE_TEXT = {
  immutable: { label: 'Immutable', hint: 'Once pushed, it stays as it is: nobody moves or deletes it.' },
  protected: { label: 'Protected', hint: 'Only owners and admins push or delete it.' },
} as const satisfies Record<views.TagRuleView['kind'], { label: string; hint: string }>

/** `The last 10 tags, what was used within 30 days and tags called v*` */
export function keepsText({ keepLast, keepUsedDays, keepTags }: views.RetentionRulesView): string | null {
  const parts = [
    ...(keepLast === null ? [] : [keepLast === 1 ? 'the last tag' : `the last ${keepLast.toLocaleString('en')} tags`]),
    ...(keepUsedDays === null ? [] : [`what was pushed or pulled within ${plural(keepUsedDays, 'day')}`]),
    ...(keepTags.length === 0 || (keepLast === null && keepUsedDays === null) ? [] : [`tags called ${keepTags.join(', ')}`]),
  ]
  if (parts.length === 0) return null
  const last = parts.pop()
  return parts.length === 0 ? (last ?? null) : `${parts.join(', ')} and ${last}`
}

/** Minute of the day as a clock shows it. */
export const clockOf = (minute: number) => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`

/** NaN, which the schema refuses, for what is no time. */
export function minuteOf(clock: string): number {
  const [, hours = '', minutes = ''] = /^(\d{2}):(\d{2})$/.exec(clock) ?? []
  return hours === '' ? Number.NaN : Number(hours) * 60 + Number(minutes)
}
