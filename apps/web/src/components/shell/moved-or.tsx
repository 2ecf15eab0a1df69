'use client'
import { SkeletonRows } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { type ReactNode, useEffect } from 'react'
import { parseImagePath, routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

/**
 * For who is no member: an address of a repository that was given away leads on to the organization that has it, when they may look
 * there. `children`: what is shown when it leads nowhere.
 */
export function MovedOr({ pathname, children }: { pathname: string; children: ReactNode }) {
  const router = useRouter()
  const [org = '', place, ...rest] = pathname.split('/').filter(Boolean)
  const asked = place === 'images' && rest.length > 0
  const { name, reference, tab } = parseImagePath(rest)
  const moved = useQuery(useTRPC().repositories.moved.queryOptions({ org, repository: name }, { enabled: asked, retry: false }))
  const to = moved.data
  const address = !to
    ? null
    : reference
      ? tab
        ? routes.imageTab(to.org, to.repository, reference, tab)
        : routes.image(to.org, to.repository, reference)
      : tab
        ? routes.repositoryTab(to.org, to.repository, tab)
        : routes.repository(to.org, to.repository)
  useEffect(() => {
    if (address !== null) router.replace(address)
  }, [address, router])
  if (asked && (address !== null || moved.isPending)) return <SkeletonRows label="Loading this repository" />
  return children
}
