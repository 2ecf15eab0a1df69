'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { EmptyState, Link, RowLink, StatusPill, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { Tag } from 'lucide-react'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { routes } from '@/lib/routes'
import { MadeBy } from './made-by'

interface Pages {
  data: { pages: views.UntaggedPageView[] } | undefined
  error: unknown
  isFetching: boolean
  refetch: () => unknown
  hasNextPage: boolean
  isFetchingNextPage: boolean
  fetchNextPage: () => unknown
}

/** Images that are pulled by their digest only, the newest first. */
export function UntaggedList({ org, repository, query }: { org: string; repository: string; query: Pages }) {
  const days = query.data?.pages[0]?.removedAfterDays ?? null
  return (
    <>
      <Load query={allItems(query)} what="the images without a tag">
        {(items) =>
          items.length === 0 ? (
            <EmptyState icon={<Tag aria-hidden />} title="No image without a tag">
              An image whose tag moves on stays here, and can be pulled by its digest, until it is deleted.
            </EmptyState>
          ) : (
            <>
              <p className="border-line border-b px-4 py-2.5 text-ink-2 text-sm">{fate(days)}</p>
              <UntaggedTable org={org} repository={repository} items={items} />
            </>
          )
        }
      </Load>
      <More query={query} />
    </>
  )
}

const fate = (days: number | null) =>
  days === null
    ? 'No tag names these, and no rule removes them: each stays until it is deleted on its page.'
    : `Retention removes what has had no tag since it was pushed more than ${days === 1 ? 'a day' : `${days} days`} ago, but for what apps run or may go back to.`

/** `linux/amd64`, or what else it is. */
const kindOf = ({ platform, artifactType, mediaType }: views.UntaggedView) =>
  platform ?? artifactType ?? (/\.(index|manifest\.list)\./.test(mediaType) ? 'index' : 'artifact')

function UntaggedTable({ org, repository, items }: { org: string; repository: string; items: views.UntaggedView[] }) {
  return (
    <Table>
      <thead>
        <tr>
          <Th className="w-full md:w-[30%]">Image</Th>
          <Th optional>Made by</Th>
          <Th optional className="w-36">
            Kind
          </Th>
          <Th right optional className="w-28">
            Last pulled
          </Th>
          <Th right className="md:w-24">
            Size
          </Th>
          <Th right className="md:w-28">
            Pushed
          </Th>
        </tr>
      </thead>
      <tbody>
        {items.map((one) => (
          <Tr key={one.digest} interactive>
            <Td className="max-w-0">
              <span className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">
                <RowLink href={routes.image(org, repository, one.digest)} className="truncate font-mono text-[13px]">
                  {shortDigest(one.digest)}
                </RowLink>
                {one.runningIn.length > 0 && <StatusPill tone="live">{one.runningIn.join(', ')}</StatusPill>}
              </span>
              <LastTag org={org} repository={repository} last={one.lastTag} />
            </Td>
            <Td optional className="max-w-0">
              <MadeBy org={org} {...one} />
            </Td>
            <Td optional className="max-w-36 truncate text-ink-2" title={kindOf(one)}>
              {kindOf(one)}
            </Td>
            <Td right optional className="text-ink-2">
              {one.lastPulledAt ? <TimeAgo at={one.lastPulledAt} /> : 'never'}
            </Td>
            <Td right>{formatBytes(one.size)}</Td>
            <Td right className="text-ink-2">
              <TimeAgo at={one.pushedAt} />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}

function LastTag({ org, repository, last }: { org: string; repository: string; last: views.UntaggedView['lastTag'] }) {
  return (
    <p className="flex min-w-0 gap-1 text-ink-3 text-xs leading-5">
      {last ? (
        <>
          <span className="shrink-0">Was</span>
          <Link
            href={routes.imageTab(org, repository, last.name, 'history')}
            className="relative z-10 truncate underline decoration-line-strong underline-offset-3 hover:text-ink"
          >
            {last.name}
          </Link>
          {last.until && (
            <span className="shrink-0">
              until <TimeAgo at={last.until} />
            </span>
          )}
        </>
      ) : (
        <span className="truncate">No tag is known of it</span>
      )}
    </p>
  )
}
