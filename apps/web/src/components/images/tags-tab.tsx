'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import {
  Button,
  Card,
  CardHeader,
  EmptyState,
  Input,
  Link,
  RowLink,
  Segmented,
  StatusPill,
  Table,
  Td,
  Th,
  TimeAgo,
  Tooltip,
  Tr,
} from '@slipway/ui'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { History, Search, Tag } from 'lucide-react'
import { useRouter, useSearchParams } from 'next/navigation'
import { useDeferredValue, useState } from 'react'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { HowToPush } from './how-to-push'
import { MadeBy } from './made-by'
import type { RepositoryTabProps } from './repository-page'
import { UntaggedList } from './untagged-list'

/** A list of so many is seen at once. */
const SEARCHED_FROM = 10

/** What the tags name now, or what none names any more. */
export function TagsTab({ org, view }: RepositoryTabProps) {
  const trpc = useTRPC()
  const router = useRouter()
  const showsUntagged = useSearchParams().get('show') === 'untagged'
  const [text, setText] = useState('')
  const untagged = useInfiniteQuery(
    trpc.images.untagged.infiniteQueryOptions(
      { org, repository: view.name, limit: 50 },
      { getNextPageParam: (page) => page.next ?? undefined },
    ),
  )
  const without = untagged.data?.pages[0]?.total
  const pulls = view.pulls === 1 ? '1 pull' : `${view.pulls} pulls`
  const count = (n: number | undefined) => n !== undefined && <span className="num text-ink-3">{n.toLocaleString('en')}</span>
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
      <div className="flex flex-wrap items-center gap-2.5 border-line border-b p-2.5">
        <Segmented
          label="Images"
          value={showsUntagged ? 'untagged' : 'tags'}
          segments={[
            { value: 'tags', label: <>Tagged {count(view.tags)}</> },
            { value: 'untagged', label: <>Untagged {count(without)}</> },
          ]}
          onChange={(to) =>
            router.replace(`${routes.repository(org, view.name)}${to === 'untagged' ? '?show=untagged' : ''}`, { scroll: false })
          }
        />
        {!showsUntagged && view.tags > SEARCHED_FROM && (
          <div className="relative min-w-40 flex-1 sm:max-w-80">
            <Search className="absolute top-2 left-2.5 size-4 text-ink-3" aria-hidden />
            <Input
              aria-label="Search the tags"
              placeholder={`Search ${view.tags.toLocaleString('en')} tags`}
              value={text}
              onChange={(e) => setText(e.target.value)}
              className="pl-8.5"
            />
          </div>
        )}
      </div>
      {showsUntagged ? (
        <UntaggedList org={org} repository={view.name} query={untagged} />
      ) : (
        <TagList org={org} view={view} text={text} onClear={() => setText('')} />
      )}
    </Card>
  )
}

function TagList({ org, view, text, onClear }: RepositoryTabProps & { text: string; onClear: () => void }) {
  const trpc = useTRPC()
  const words = useDeferredValue(text.trim())
  const query = useInfiniteQuery(
    trpc.images.tags.infiniteQueryOptions(
      { org, repository: view.name, query: words || undefined, limit: 50 },
      { getNextPageParam: (page) => page.next ?? undefined, placeholderData: keepPreviousData },
    ),
  )
  return (
    <>
      <Load query={allItems(query)} what="the tags">
        {(items) =>
          items.length === 0 && words ? (
            <EmptyState title={`No tag is called “${words}”`} actions={<Button onClick={onClear}>Show all</Button>}>
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
    </>
  )
}

function TagTable({ org, repository, items }: { org: string; repository: string; items: views.TagView[] }) {
  return (
    <Table>
      <thead>
        <tr>
          <Th className="w-full md:w-[30%]">Tag</Th>
          <Th optional>Made by</Th>
          <Th optional className="w-32">
            Platform
          </Th>
          <Th right optional className="w-20">
            Pulls
          </Th>
          <Th right className="md:w-24">
            Size
          </Th>
          <Th right className="md:w-28">
            Pushed
          </Th>
          <Th className="w-10 pl-0">
            <span className="sr-only">History</span>
          </Th>
        </tr>
      </thead>
      <tbody>
        {items.map((t) => (
          <Tr key={t.name} interactive>
            <Td className="max-w-0">
              <span className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">
                <RowLink href={routes.image(org, repository, t.name)} className="truncate font-medium">
                  {t.name}
                </RowLink>
                {t.runningIn.length > 0 && <StatusPill tone="live">{t.runningIn.join(', ')}</StatusPill>}
              </span>
              <p className="truncate font-mono text-ink-3 text-xs leading-5">{shortDigest(t.digest)}</p>
            </Td>
            <Td optional className="max-w-0">
              <MadeBy org={org} {...t} />
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
            <Td className="pl-0">
              <Tooltip content="What it named before">
                <Button asChild variant="ghost" size="icon-s" className="relative z-10 -mr-1.5">
                  <Link href={routes.imageTab(org, repository, t.name, 'history')} aria-label={`History of ${t.name}`}>
                    <History aria-hidden />
                  </Link>
                </Button>
              </Tooltip>
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}
