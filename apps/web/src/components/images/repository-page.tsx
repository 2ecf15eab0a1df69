'use client'
import type { views } from '@slipway/contracts'
import { CopyButton, Hash, LinkButton, LinkTabs, PageHead, StatusPill } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Rocket } from 'lucide-react'
import { notFound } from 'next/navigation'
import type { ReactNode } from 'react'
import { Labels } from '@/components/about/labels'
import { RepositoryAbout } from '@/components/about/repository-about'
import { RepositoryAccess } from '@/components/access/repository-access'
import { Load } from '@/components/load'
import { RepositoryPolicies } from '@/components/policies/repository-policies'
import { RepositorySettings } from '@/components/policies/repository-settings'
import { useOutside } from '@/components/shell/outside-context'
import { routes } from '@/lib/routes'
import { OUTSIDE_TABS, REPOSITORY_TABS } from '@/lib/tabs'
import { useTRPC } from '@/lib/trpc'
import { TagsTab } from './tags-tab'
import { useMovedOr } from './use-moved'

export interface RepositoryTabProps {
  org: string
  view: views.RepositoryView
}

/** By the end of the address; `lib/tabs.ts` has their order and names. */
const PAGES: Record<string, (props: RepositoryTabProps) => ReactNode> = {
  '': TagsTab,
  about: RepositoryAbout,
  policies: RepositoryPolicies,
  access: RepositoryAccess,
  settings: RepositorySettings,
}

export function RepositoryPage({ org, repository, tab }: { org: string; repository: string; tab: string | null }) {
  const Page = PAGES[tab ?? '']
  if (!Page) notFound()
  const outside = useOutside()
  const tabs = REPOSITORY_TABS.filter((t) => !outside || OUTSIDE_TABS.has(t.tab))
  const trpc = useTRPC()
  const query = useMovedOr(org, repository, useQuery(trpc.images.repository.queryOptions({ org, repository })), (to) =>
    tab ? routes.repositoryTab(to.org, to.repository, tab) : routes.repository(to.org, to.repository),
  )
  const hrefOf = (t: string | null) => (t ? routes.repositoryTab(org, repository, t) : routes.repository(org, repository))
  return (
    <Load page query={query} what="this repository" back={{ href: routes.images(org), label: 'All images' }}>
      {(view) => (
        <>
          <PageHead
            title={view.name}
            actions={
              <>
                <CopyButton text={view.reference} label="Copy the reference">
                  Reference
                </CopyButton>
                {view.tags > 0 && !outside && (
                  <LinkButton variant="primary" icon={<Rocket aria-hidden />} href={routes.newApp(org, { image: view.reference })}>
                    Deploy
                  </LinkButton>
                )}
              </>
            }
          >
            <Hash>{view.visibility}</Hash>
            {view.runningIn.length > 0 && <StatusPill tone="live">Runs in {view.runningIn.join(', ')}</StatusPill>}
          </PageHead>
          <Says view={view} />
          {tabs.length > 1 && (
            <LinkTabs label="Repository" active={hrefOf(tab)} tabs={tabs.map((t) => ({ label: t.label, href: hrefOf(t.tab) }))} />
          )}
          <Page org={org} view={view} />
        </>
      )}
    </Load>
  )
}

/** What the repository says of itself, below its name. */
function Says({ view: { description, labels } }: { view: views.RepositoryView }) {
  const pairs = Object.entries(labels)
  if (description === '' && pairs.length === 0) return null
  return (
    <div className="-mt-2 flex flex-wrap items-center gap-x-3 gap-y-1.5">
      {description !== '' && <p className="min-w-0 break-words text-ink-2 text-sm">{description}</p>}
      <Labels pairs={pairs} />
    </div>
  )
}
