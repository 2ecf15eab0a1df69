'use client'
import { Card, CardHeader, EmptyState, Input, LinkButton, PageHead } from '@slipway/ui'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Inbox, Search } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import { Load } from '@/components/load'
import { More } from '@/components/more'
import { Shell } from '@/components/shell/shell'
import { lastOrganization } from '@/lib/last-organization'
import { useTRPC } from '@/lib/trpc'
import { SharedApps, SharedRepositories } from './shared-lists'

/** Of organizations that one is no member of; its frame is that of an own one, where there is one. */
export function SharedPage() {
  const trpc = useTRPC()
  const me = useQuery(trpc.me.get.queryOptions())
  const slugs = me.data?.organizations.map((o) => o.slug) ?? []
  const last = me.data ? lastOrganization() : null
  const org = last && slugs.includes(last) ? last : slugs[0]
  if (org) {
    return (
      <Shell org={org}>
        <Shared />
      </Shell>
    )
  }
  return (
    <main className="mx-auto grid max-w-[860px] gap-5 p-6">
      <Load page query={me} what="your account">
        {() => <Shared alone />}
      </Load>
    </main>
  )
}

function Shared({ alone }: { alone?: boolean }) {
  const trpc = useTRPC()
  const [text, setText] = useState('')
  const words = useDeferredValue(text.trim())
  const query = useInfiniteQuery(
    trpc.access.shared.infiniteQueryOptions(
      { query: words || undefined, limit: 50 },
      { getNextPageParam: (page) => page.next ?? undefined },
    ),
  )
  const pages = query.data?.pages
  const found = {
    data: pages && { apps: pages.flatMap((page) => page.apps), repositories: pages.flatMap((page) => page.repositories) },
    error: query.error,
    isFetching: query.isFetching,
    refetch: query.refetch,
  }
  return (
    <>
      <PageHead
        title="Shared with you"
        actions={
          alone && (
            <>
              <LinkButton href="/account">Account</LinkButton>
              <LinkButton href="/new-organization">New organization</LinkButton>
            </>
          )
        }
      />
      <Load query={found} what="what is shared with you">
        {({ apps, repositories }) => (
          <>
            {words === '' && <SharedApps apps={apps} named />}
            <Card>
              <CardHeader title="Repositories" />
              {(repositories.length > 0 || words !== '') && (
                <div className="relative border-line border-b p-2.5">
                  <Search className="absolute top-4.5 left-5 size-4 text-ink-3" aria-hidden />
                  <Input
                    aria-label="Search what is shared with you"
                    placeholder="Search"
                    value={text}
                    onChange={(e) => setText(e.target.value)}
                    className="pl-8.5 sm:max-w-80"
                  />
                </div>
              )}
              {repositories.length > 0 ? (
                <SharedRepositories repositories={repositories} named />
              ) : words ? (
                <EmptyState title={`No repository is called “${words}”`}>Change the search.</EmptyState>
              ) : (
                <EmptyState icon={<Inbox aria-hidden />} title="No repository">
                  Internal and public repositories of other organizations are listed here, and those where you were given a role.
                </EmptyState>
              )}
              <More query={query} />
            </Card>
          </>
        )}
      </Load>
    </>
  )
}
