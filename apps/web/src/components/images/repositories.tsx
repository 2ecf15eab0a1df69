'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import {
  Button,
  Card,
  Dialog,
  EmptyState,
  Input,
  LinkButton,
  PageHead,
  RowLink,
  Select,
  SortTh,
  StatusPill,
  Table,
  Td,
  Th,
  TimeAgo,
  Tr,
} from '@slipway/ui'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Layers, ScanSearch, Search, Upload } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import { Labels } from '@/components/about/labels'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { HowToPush } from './how-to-push'

type Sort = 'name' | 'pushed' | 'pulled' | 'pulls' | 'size'
type Filter = 'all' | 'running' | views.RepositoryView['visibility']

const FILTERS: { value: Filter; label: string }[] = [
  { value: 'all', label: 'All repositories' },
  { value: 'running', label: 'Running now' },
  { value: 'private', label: 'Private' },
  { value: 'internal', label: 'Internal' },
  { value: 'public', label: 'Public' },
]

export function Repositories({ org }: { org: string }) {
  const trpc = useTRPC()
  const [text, setText] = useState('')
  const [pushing, setPushing] = useState(false)
  const [filter, setFilter] = useState<Filter>('all')
  const [{ sort, order }, setSort] = useState<{ sort: Sort; order: 'asc' | 'desc' }>({ sort: 'name', order: 'asc' })
  const words = useDeferredValue(text.trim())
  const narrowed = words !== '' || filter !== 'all'
  const query = useInfiniteQuery(
    trpc.images.repositories.infiniteQueryOptions(
      {
        org,
        query: words || undefined,
        limit: 50,
        sort,
        order,
        ...(filter === 'running' ? { running: true } : filter === 'all' ? {} : { visibility: filter }),
      },
      // What is shown stays until the new order is there: a table that goes away under the pointer cannot be clicked twice.
      { getNextPageParam: (page) => page.next ?? undefined, placeholderData: keepPreviousData },
    ),
  )
  const total = query.data?.pages[0]?.total
  /** Numbers and times begin with the largest; once more turns them round. */
  const column = (by: Sort) => ({
    sorted: sort === by ? order : null,
    onSort: () => setSort({ sort: by, order: sort === by ? (order === 'asc' ? 'desc' : 'asc') : by === 'name' ? 'asc' : 'desc' }),
  })
  return (
    <>
      <PageHead
        title="Images"
        actions={
          <>
            <LinkButton icon={<ScanSearch aria-hidden />} href={routes.whereUsed(org)}>
              Where used
            </LinkButton>
            <Button icon={<Upload aria-hidden />} onClick={() => setPushing(true)}>
              Push an image
            </Button>
          </>
        }
      />
      <Dialog open={pushing} onOpenChange={setPushing} title="Push an image" wide description="From any machine that reaches this one.">
        <HowToPush org={org} />
      </Dialog>
      <Card>
        <div className="flex items-center gap-2 border-line border-b p-2.5">
          <div className="relative min-w-0 flex-1 sm:max-w-80">
            <Search className="absolute top-2 left-2.5 size-4 text-ink-3" aria-hidden />
            <Input
              aria-label="Search the images"
              placeholder="Name, description or label"
              value={text}
              onChange={(e) => setText(e.target.value)}
              className="pl-8.5"
            />
          </div>
          <Select aria-label="Show" value={filter} options={FILTERS} onChange={setFilter} className="w-40 shrink-0" />
          {total !== undefined && total > 0 && (
            <span className="num ml-auto hidden pr-1.5 text-ink-3 text-xs sm:inline">
              {total.toLocaleString('en')} {total === 1 ? 'repository' : 'repositories'}
            </span>
          )}
        </div>
        <Load query={allItems(query)} what="the images">
          {(items) =>
            items.length === 0 ? (
              narrowed ? (
                <EmptyState
                  title={words ? `No repository is called or described by “${words}”` : 'No repository like that'}
                  actions={
                    <Button
                      onClick={() => {
                        setText('')
                        setFilter('all')
                      }}
                    >
                      Show all
                    </Button>
                  }
                >
                  {filter === 'all' ? 'Change the search.' : `Only “${FILTERS.find((f) => f.value === filter)?.label}” is looked at.`}
                </EmptyState>
              ) : (
                <div className="mx-auto max-w-xl">
                  <EmptyState icon={<Layers aria-hidden />} title="No image yet" actions={<HowToPush org={org} />}>
                    Every build publishes its image here. Or push one:
                  </EmptyState>
                </div>
              )
            ) : (
              <Table>
                <thead>
                  <tr>
                    <SortTh {...column('name')}>Repository</SortTh>
                    <Th optional>Runs in</Th>
                    <Th right optional className="w-20">
                      Tags
                    </Th>
                    <SortTh right optional className="w-20" {...column('pulls')}>
                      Pulls
                    </SortTh>
                    <SortTh right optional className="w-28" {...column('pulled')}>
                      Pulled
                    </SortTh>
                    <SortTh right optional className="w-24" {...column('size')}>
                      Size
                    </SortTh>
                    <SortTh right className="w-28" {...column('pushed')}>
                      Pushed
                    </SortTh>
                  </tr>
                </thead>
                <tbody>
                  {items.map((r) => (
                    <Tr key={r.name} interactive>
                      <Td className="w-full max-w-0 md:w-2/5">
                        <span className="flex min-w-0 items-center gap-2">
                          <RowLink href={routes.repository(org, r.name)} className="truncate font-medium">
                            {r.name}
                          </RowLink>
                          <Labels pairs={Object.entries(r.labels)} className="hidden max-h-5 shrink-2 overflow-hidden md:flex" />
                        </span>
                        {r.description !== '' && <p className="truncate text-ink-2 text-xs leading-5">{r.description}</p>}
                        <p className="hidden truncate font-mono text-ink-3 text-xs leading-5 md:block">
                          {r.reference}
                          {r.visibility !== 'private' && ` · ${r.visibility}`}
                        </p>
                        <p className="truncate text-ink-3 text-xs leading-5 md:hidden">
                          {formatBytes(r.size)} · {r.tags.toLocaleString('en')} {r.tags === 1 ? 'tag' : 'tags'}
                          {r.visibility !== 'private' && ` · ${r.visibility}`}
                        </p>
                      </Td>
                      <Td optional className="max-w-56 truncate">
                        {r.runningIn.length > 0 ? (
                          <StatusPill tone="live">{r.runningIn.join(', ')}</StatusPill>
                        ) : (
                          <span className="text-ink-3">–</span>
                        )}
                      </Td>
                      <Td right optional className="text-ink-2">
                        {r.tags.toLocaleString('en')}
                      </Td>
                      <Td right optional className="text-ink-2">
                        {r.pulls.toLocaleString('en')}
                      </Td>
                      <Td right optional className="text-ink-2">
                        {r.lastPulledAt ? <TimeAgo at={r.lastPulledAt} /> : '–'}
                      </Td>
                      <Td right optional>
                        {formatBytes(r.size)}
                      </Td>
                      <Td right className="text-ink-2">
                        {r.lastPushedAt ? <TimeAgo at={r.lastPushedAt} /> : '–'}
                      </Td>
                    </Tr>
                  ))}
                </tbody>
              </Table>
            )
          }
        </Load>
        <More query={query} />
      </Card>
    </>
  )
}
