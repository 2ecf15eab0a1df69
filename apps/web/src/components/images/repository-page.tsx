'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import {
  Button,
  Card,
  CardHeader,
  CopyButton,
  EmptyState,
  Hash,
  Input,
  LinkButton,
  LinkTabs,
  PageHead,
  RowLink,
  StatusPill,
  Table,
  Td,
  Th,
  TimeAgo,
  Tr,
} from '@slipway/ui'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Rocket, Search, Tag } from 'lucide-react'
import { notFound } from 'next/navigation'
import { type ReactNode, useDeferredValue, useState } from 'react'
import { Labels } from '@/components/about/labels'
import { RepositoryAbout } from '@/components/about/repository-about'
import { RepositoryAccess } from '@/components/access/repository-access'
import { CommitFacts, firstLine } from '@/components/commit'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { RepositoryPolicies } from '@/components/policies/repository-policies'
import { RepositorySettings } from '@/components/policies/repository-settings'
import { useOutside } from '@/components/shell/outside-context'
import { routes } from '@/lib/routes'
import { OUTSIDE_TABS, REPOSITORY_TABS } from '@/lib/tabs'
import { useTRPC } from '@/lib/trpc'
import { HowToPush } from './how-to-push'
import { pusherName } from './image-facts'
import { useMovedOr } from './use-moved'

/** A list of so many is seen at once. */
const SEARCHED_FROM = 10

export interface RepositoryTabProps {
  org: string
  view: views.RepositoryView
}

/** By the end of the address; `lib/tabs.ts` has their order and names. */
const PAGES: Record<string, (props: RepositoryTabProps) => ReactNode> = {
  '': Tags,
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

function Tags({ org, view }: RepositoryTabProps) {
  const trpc = useTRPC()
  const [text, setText] = useState('')
  const words = useDeferredValue(text.trim())
  const query = useInfiniteQuery(
    trpc.images.tags.infiniteQueryOptions(
      { org, repository: view.name, query: words || undefined, limit: 50 },
      { getNextPageParam: (page) => page.next ?? undefined, placeholderData: keepPreviousData },
    ),
  )
  const pulls = view.pulls === 1 ? '1 pull' : `${view.pulls} pulls`
  return (
    <Card>
      <CardHeader
        title="Tags"
        aside={
          <>
            {formatBytes(view.size)} · {pulls}
            {view.lastPulledAt && (
              <>
                , last <TimeAgo at={view.lastPulledAt} />
              </>
            )}
          </>
        }
      />
      {view.tags > SEARCHED_FROM && (
        <div className="relative border-line border-b p-2.5">
          <Search className="absolute top-4.5 left-5 size-4 text-ink-3" aria-hidden />
          <Input
            aria-label="Search the tags"
            placeholder={`Search ${view.tags.toLocaleString('en')} tags`}
            value={text}
            onChange={(e) => setText(e.target.value)}
            className="pl-8.5 sm:max-w-80"
          />
        </div>
      )}
      <Load query={allItems(query)} what="the tags">
        {(items) =>
          items.length === 0 && words ? (
            <EmptyState title={`No tag is called “${words}”`} actions={<Button onClick={() => setText('')}>Show all</Button>}>
              Change the search.
            </EmptyState>
          ) : items.length === 0 ? (
            <div className="mx-auto max-w-xl">
              <EmptyState icon={<Tag aria-hidden />} title="No tag" actions={<HowToPush org={org} repository={view.name} />}>
                Its tags were deleted, or none was pushed yet.
              </EmptyState>
            </div>
          ) : (
            <TagTable org={org} repository={view.name} items={items} />
          )
        }
      </Load>
      <More query={query} />
    </Card>
  )
}

function TagTable({ org, repository, items }: { org: string; repository: string; items: views.TagView[] }) {
  return (
    <Table>
      <thead>
        <tr>
          <Th className="md:w-2/5">Tag</Th>
          <Th optional>Made by</Th>
          <Th optional className="w-36">
            Platform
          </Th>
          <Th right optional className="w-20">
            Pulls
          </Th>
          <Th right className="w-24">
            Size
          </Th>
          <Th right className="w-28">
            Pushed
          </Th>
        </tr>
      </thead>
      <tbody>
        {items.map((t) => (
          <Tr key={t.name} interactive>
            <Td className="max-w-0">
              <span className="flex min-w-0 items-center gap-2">
                <RowLink href={routes.image(org, repository, t.name)} className="truncate font-medium">
                  {t.name}
                </RowLink>
                {t.runningIn.length > 0 && <StatusPill tone="live">{t.runningIn.join(', ')}</StatusPill>}
              </span>
              <p className="truncate font-mono text-ink-3 text-xs leading-5">{shortDigest(t.digest)}</p>
            </Td>
            <Td optional className="max-w-0">
              {t.build ? (
                <>
                  <p className="truncate">{t.commit ? firstLine(t.commit.message) : `Build #${t.build.number}`}</p>
                  <CommitFacts commit={t.commit}>
                    {t.commit && ' · '}build #{t.build.number}
                  </CommitFacts>
                </>
              ) : (
                <span className="text-ink-2">{pusherName(t.pushedBy)}</span>
              )}
            </Td>
            <Td optional className="max-w-36 truncate text-ink-2">
              {t.platforms.join(', ')}
            </Td>
            <Td right optional className="text-ink-2" title={t.lastPulledAt ? `Last pulled ${t.lastPulledAt.toLocaleString()}` : undefined}>
              {t.pulls}
            </Td>
            <Td right>{formatBytes(t.size)}</Td>
            <Td right className="text-ink-2">
              <TimeAgo at={t.pushedAt} />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}
