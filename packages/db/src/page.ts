/** Ids of one kind sort by creation time, so the newest-first cursor of a list is simply the last id shown. */
export interface PageRequest {
  cursor?: string | null
  limit: number
}

export interface RowPage<T> {
  rows: T[]
  next: string | null
  total: number
}

/** `take` and `where` of one page, newest first; one row more than asked tells whether there is a next page. */
export const pageArgs = ({ cursor, limit }: PageRequest) => ({
  take: limit + 1,
  orderBy: { id: 'desc' as const },
  before: cursor ? { id: { lt: cursor } } : {},
})

export function toPage<T>(rows: T[], total: number, limit: number, key: (row: T) => string): RowPage<T> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { rows: shown, next: rows.length > limit && last !== undefined ? key(last) : null, total }
}
