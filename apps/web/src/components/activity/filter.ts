/** What of the activity is shown: as the form holds it, and as the server takes it. */
export interface ActivityFilter {
  actor: string
  action: string
  query: string
  time: 'any' | 'day' | 'week' | 'month' | 'between'
  /** `2026-11-29`, of this browser's days; both included. */
  from: string
  to: string
}

export const NO_FILTER: ActivityFilter = { actor: '', action: '', query: '', time: 'any', from: '', to: '' }

export const TIMES: { value: ActivityFilter['time']; label: string; days?: number }[] = [
  { value: 'any', label: 'Any time' },
  { value: 'day', label: 'Last 24 hours', days: 1 },
  { value: 'week', label: 'Last 7 days', days: 7 },
  { value: 'month', label: 'Last 30 days', days: 30 },
  { value: 'between', label: 'Between two days' },
]

const DAY_MS = 86_400_000

/** Cut to the minute, so that a page that is drawn again asks for the same. */
const since = (days: number, now: number) => new Date(Math.floor((now - days * DAY_MS) / 60_000) * 60_000)
const dayStart = (day: string, plus = 0): Date | undefined => {
  const [year = Number.NaN, month = Number.NaN, date = Number.NaN] = day.split('-').map(Number)
  const at = new Date(year, month - 1, date + plus)
  return Number.isNaN(at.getTime()) ? undefined : at
}

export function inputOf(filter: ActivityFilter, now = Date.now()) {
  const days = TIMES.find(({ value }) => value === filter.time)?.days
  const between = filter.time === 'between'
  return {
    actor: filter.actor || undefined,
    action: filter.action || undefined,
    query: filter.query.trim() || undefined,
    from: between ? dayStart(filter.from) : days === undefined ? undefined : since(days, now),
    to: between ? dayStart(filter.to, 1) : undefined,
  }
}

/** The same for an address. */
export function queryOf(filter: ActivityFilter): Record<string, string> {
  const entries = Object.entries(inputOf(filter)).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value instanceof Date ? value.toISOString() : value] as const],
  )
  return Object.fromEntries(entries)
}

export const isFiltered = (filter: ActivityFilter): boolean => Object.values(inputOf(filter)).some((value) => value !== undefined)
