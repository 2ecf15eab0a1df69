'use client'
import type { inputs, views } from '@slipway/contracts'
import { skipToken, useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import { useTRPC } from '@/lib/trpc'

/** The list shows so many repositories, those that free the most; the numbers count all. */
const SHOWN = 200

/**
 * What retention would take of all repositories: the server is asked a page after the other until the end is there, or the question is
 * taken back. `rules`: undefined for those that are saved.
 */
export function useDryRun(org: string, asked: { rules?: inputs.RetentionRulesInput | undefined } | null) {
  const trpc = useTRPC()
  const query = useInfiniteQuery(
    trpc.policies.previewRetention.infiniteQueryOptions(asked ? { org, ...(asked.rules && { rules: asked.rules }) } : skipToken, {
      getNextPageParam: (page) => page.next ?? undefined,
      staleTime: 0,
      gcTime: 0,
      retry: false,
    }),
  )
  const { data, error, isFetching, hasNextPage, fetchNextPage, refetch } = query
  useEffect(() => {
    if (hasNextPage && !isFetching && !error) void fetchNextPage()
  }, [hasNextPage, isFetching, error, fetchNextPage])
  return {
    // A part is no answer: what went wrong is shown instead.
    data: useMemo(() => (data && !error ? sumOf(data.pages) : undefined), [data, error]),
    error,
    isFetching,
    refetch: () => (data ? fetchNextPage() : refetch()),
    /** Null: all have been looked at. */
    progress: hasNextPage && data ? progressOf(data.pages) : null,
  }
}

function progressOf(pages: readonly views.RetentionPreviewPage[]) {
  return { looked: pages.reduce((sum, page) => sum + page.looked, 0), of: pages.at(-1)?.of ?? 0 }
}

function sumOf(pages: readonly views.RetentionPreviewView[]): views.RetentionPreviewView {
  const kept = new Map<views.RetentionPreviewView['kept'][number]['because'], number>()
  for (const page of pages) for (const { because, tags } of page.kept) kept.set(because, (kept.get(because) ?? 0) + tags)
  const sum = (of: 'repositories' | 'changed' | 'tags' | 'manifests' | 'bytes') => pages.reduce((total, page) => total + page[of], 0)
  return {
    repositories: sum('repositories'),
    changed: sum('changed'),
    tags: sum('tags'),
    manifests: sum('manifests'),
    bytes: sum('bytes'),
    kept: [...kept].map(([because, tags]) => ({ because, tags })).sort((a, b) => b.tags - a.tags),
    rows: pages
      .flatMap((page) => page.rows)
      .sort((a, b) => b.bytes - a.bytes || (a.repository < b.repository ? -1 : 1))
      .slice(0, SHOWN),
  }
}
