'use client'
import { Mark } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { useEffect } from 'react'
import { Load } from '@/components/load'
import { lastOrganization } from '@/lib/last-organization'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

/** Nothing to see here: on to the organization used last. */
export function Home() {
  const trpc = useTRPC()
  const router = useRouter()
  const me = useQuery(trpc.me.get.queryOptions())
  useEffect(() => {
    if (!me.data) return
    const slugs = me.data.organizations.map((o) => o.slug)
    const last = lastOrganization()
    const to = last && slugs.includes(last) ? last : slugs[0]
    router.replace(to ? `/${to}` : routes.shared)
  }, [me.data, router])
  const waiting = (
    <div role="status" aria-label="Loading" className="grid min-h-dvh place-items-center">
      <Mark className="size-10 animate-shimmer rounded-[12px]" />
    </div>
  )
  return (
    <main className={me.error ? 'mx-auto max-w-xl p-6 pt-[12vh]' : undefined}>
      <Load page query={me} what="your organizations" skeleton={waiting}>
        {() => waiting}
      </Load>
    </main>
  )
}
