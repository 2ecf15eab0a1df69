/** What an event of the registry says beyond who, what and to what, in a few words; the export has all of its data. */
import { formatBytes } from '@slipway/core'
import type { AuditEvent } from '@slipway/db'

type Data = Record<string, unknown>

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)
const number = (value: unknown): number | null => (typeof value === 'number' ? value : null)
const count = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`
const after = (word: string, value: string | null) => (value === null ? null : `${word} ${value}`)

const DETAILS: Record<string, (data: Data) => string | null> = {
  'repository.rename': ({ from }) => after('from', text(from)),
  'repository.transfer': ({ to }) => after('to', text(to)),
  'repository.receive': ({ from }) => after('from', text(from)),
  'repository.delete': ({ tagCount }) => count(number(tagCount) ?? 0, 'tag'),
  'repository.forgetName': ({ name }) => text(name),
  'repository.describe': ({ changed }) => (Array.isArray(changed) ? changed.filter((part) => part !== 'updatedBy').join(', ') : null),
  'quota.set': ({ maxBytes, maxRepositories }) => {
    const [bytes, repositories] = [number(maxBytes), number(maxRepositories)]
    if (bytes === null && repositories === null) return 'no limit'
    return [bytes !== null && formatBytes(bytes), repositories !== null && count(repositories, 'repository', 'repositories')]
      .filter(Boolean)
      .join(', ')
  },
  'retention.clean': ({ tagCount, manifests, bytes }) => {
    const [tags, images] = [number(tagCount) ?? 0, number(manifests) ?? 0]
    return [tags > 0 && count(tags, 'tag'), images > 0 && count(images, 'image'), formatBytes(number(bytes) ?? 0)]
      .filter(Boolean)
      .join(', ')
  },
  'retention.set': ({ rules }) => {
    if (rules === null || rules === undefined) return 'no rules of its own'
    if (rules === 'keep') return 'everything stays'
    const { keepLast, keepUsedDays, keepTags } = rules as Data
    const [last, days] = [number(keepLast), number(keepUsedDays)]
    const names = Array.isArray(keepTags) && keepTags.length > 0 ? keepTags.join(' ') : null
    const kept = [last !== null && `last ${last}`, days !== null && `used within ${count(days, 'day')}`, names].filter(Boolean)
    return kept.length === 0 ? 'all tags stay' : `keeps ${kept.join(', ')}`
  },
  'tagRule.create': ({ repositories }) => (repositories === '*' ? null : after('in', text(repositories))),
}

export function detailOf({ action, data }: Pick<AuditEvent, 'action' | 'data'>): string | null {
  const detail = DETAILS[action]
  return detail && typeof data === 'object' && data !== null ? detail(data as Data) : null
}
