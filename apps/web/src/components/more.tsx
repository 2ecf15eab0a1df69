'use client'
import { Button } from '@slipway/ui'

/** The way to the rows before these; nothing when there are none. */
export function More({ query }: { query: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown } }) {
  if (!query.hasNextPage) return null
  return (
    <div className="flex justify-center border-line border-t px-4 py-2.5">
      <Button variant="ghost" pending={query.isFetchingNextPage} onClick={() => query.fetchNextPage()}>
        Show more
      </Button>
    </div>
  )
}

/** The rows of all pages read so far, as one answer for `Load`. */
export function allItems<T>(query: {
  data: { pages: { items: T[] }[] } | undefined
  error: unknown
  isFetching: boolean
  refetch: () => unknown
}) {
  return {
    data: query.data?.pages.flatMap((page) => page.items),
    error: query.error,
    isFetching: query.isFetching,
    refetch: () => query.refetch(),
  }
}
