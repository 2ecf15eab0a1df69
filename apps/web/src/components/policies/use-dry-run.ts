'use client'
import type { inputs, views } from '@slipway/contracts'
import { type InfiniteData, skipToken, type UseInfiniteQueryResult, useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import { useTRPC } from '@/lib/trpc'

/** The list shows so many repositories, those that free the most; the numbers count all. */
const SHOWN = 200

type Page = views.RetentionPreviewPage
const PAGED = {
  getNextPageParam: (page: Page) => page.next ?? undefined,
  staleTime: 0,
  gcTime: 0,
  retry: false,
  // What was asked last when it is taken back is given up, too: who asks again at once gets an answer of now.
  trpc: { abortOnUnmount: true },
} as const

/** How far the server is: with the repository that it counts the blobs of, and the part of these that is counted. */
export interface DryRunProgress extends Pick<Page, 'of' | 'within'> {
  looked: number
}

/** What retention would take of all repositories. `rules`: undefined for those that are saved; null: nothing is asked. */
export function useDryRun(org: string, asked: { rules?: inputs.RetentionRulesInput | undefined } | null) {
  const trpc = useTRPC()
  const input = asked ? { org, ...(asked.rules && { rules: asked.rules }) } : skipToken
  return useWhole(useInfiniteQuery(trpc.policies.previewRetention.infiniteQueryOptions(input, PAGED)))
}

/** What these rules would take of one repository; null: nothing is asked. */
export function useRepositoryDryRun(org: string, repository: string, rules: inputs.RetentionRulesInput | null) {
  const trpc = useTRPC()
  const input = rules ? { org, repository, rules } : skipToken
  return useWhole(useInfiniteQuery(trpc.repositories.previewRetention.infiniteQueryOptions(input, PAGED)))
}

/** The server is asked a page after the other until the end is there, or the question is taken back. */
function useWhole(query: UseInfiniteQueryResult<InfiniteData<Page>, unknown>) {
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
    /** Null: one page was all. */
    progress: data && data.pages.length + Number(hasNextPage) > 1 ? progressOf(data.pages) : null,
    whole: data !== undefined && !hasNextPage,
  }
}

function progressOf(pages: readonly Page[]): DryRunProgress {
  const last = pages.at(-1)
  return { looked: pages.reduce((sum, page) => sum + page.looked, 0), of: last?.of ?? 0, within: last?.within ?? null }
}

function sumOf(pages: readonly Page[]): views.RetentionPreviewView {
  const kept = new Map<views.RetentionPreviewView['kept'][number]['because'], number>()
  for (const page of pages) for (const { because, tags } of page.kept) kept.set(because, (kept.get(because) ?? 0) + tags)
  const sum = (of: 'repositories' | 'changed' | 'tags' | 'manifests' | 'bytes') => pages.reduce((total, page) => total + page[of], 0)
  // What comes free of a large repository comes on pages after what becomes of it.
  const rows = new Map<string, Page['rows'][number]>()
  for (const row of pages.flatMap((page) => page.rows)) {
    const before = rows.get(row.repository)
    rows.set(row.repository, before ? { ...before, bytes: before.bytes + row.bytes } : row)
  }
  return {
    repositories: sum('repositories'),
    changed: sum('changed'),
    tags: sum('tags'),
    manifests: sum('manifests'),
    bytes: sum('bytes'),
    kept: [...kept].map(([because, tags]) => ({ because, tags })).sort((a, b) => b.tags - a.tags),
    rows: [...rows.values()].sort((a, b) => b.bytes - a.bytes || (a.repository < b.repository ? -1 : 1)).slice(0, SHOWN),
  }
}
