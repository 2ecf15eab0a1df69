'use client'
import { useQuery } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { useEffect } from 'react'
import { readError } from '@/lib/errors'
import { useTRPC } from '@/lib/trpc'

interface Place {
  org: string
  repository: string
}

/**
 * Leads on from a name that a repository had: when it is nowhere to be found, where it is now is asked for and opened instead, in
 * the history too. Gives `query` for the page, as still loading until it is known that the name leads nowhere.
 */
export function useMovedOr<Q extends { data: unknown; error: unknown }>(
  org: string,
  repository: string,
  query: Q,
  addressOf: (to: Place) => string,
): Q {
  const router = useRouter()
  const missing = query.data === undefined && query.error !== null && readError(query.error).status === 404
  const moved = useQuery(useTRPC().repositories.moved.queryOptions({ org, repository }, { enabled: missing, retry: false, staleTime: 0 }))
  const to = missing && moved.data ? addressOf(moved.data) : null
  useEffect(() => {
    if (to !== null) router.replace(to)
  }, [to, router])
  return missing && (to !== null || moved.isPending) ? { ...query, error: null } : query
}
