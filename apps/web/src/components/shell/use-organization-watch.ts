'use client'
import { type Query, useQueryClient } from '@tanstack/react-query'
import { useSubscription } from '@trpc/tanstack-react-query'
import { useEffect, useRef } from 'react'
import { useTRPC } from '@/lib/trpc'
import { useVisible } from '@/lib/use-visible'

/** Lists and counts; single rows have streams of their own, and forms must not be renewed under the hands of who fills them. */
const LISTS = new Set([
  'organizations.get',
  'organizations.audit',
  'organizations.auditFacets',
  'organizations.members',
  'invitations.list',
  'teams.list',
  'projects.list',
  'apps.list',
  'builds.list',
  'deployments.list',
  'images.repositories',
  'images.repository',
  'images.tags',
  'hosts.list',
])
const QUIET_MS = 400

const isList = (query: Query) => {
  const path = query.queryKey[0]
  return Array.isArray(path) && LISTS.has(path.join('.'))
}

/** Renews every list in sight when something of the organization changed, at most every 400 ms. */
export function useOrganizationWatch(org: string, member = true) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const visible = useVisible()
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null)
  useEffect(
    () => () => {
      if (timer.current) clearTimeout(timer.current)
    },
    [],
  )
  useSubscription(
    trpc.organizations.watch.subscriptionOptions(
      { org },
      {
        enabled: visible && member,
        onData: () => {
          timer.current ??= setTimeout(() => {
            timer.current = null
            void client.invalidateQueries({ predicate: isList })
          }, QUIET_MS)
        },
      },
    ),
  )
}
