'use client'
import type { views } from '@slipway/contracts'
import { useQuery } from '@tanstack/react-query'
import { useTRPC } from '@/lib/trpc'

/** What earlier builds tell about one that is over; the page is whole without it. */
export function useInsights(org: string, app: string, build: views.BuildView): views.BuildInsightsView | null {
  const trpc = useTRPC()
  const ended = build.state === 'succeeded' || build.state === 'failed'
  const { data } = useQuery(trpc.builds.insights.queryOptions({ org, app, number: build.number }, { enabled: ended, staleTime: 60_000 }))
  return data ?? null
}
