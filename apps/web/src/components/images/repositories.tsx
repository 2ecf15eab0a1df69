'use client'
import { formatBytes } from '@slipway/core'
import { Button, Card, Dialog, EmptyState, Input, PageHead, RowLink, StatusPill, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Layers, Search, Upload } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { HowToPush } from './how-to-push'

export function Repositories({ org }: { org: string }) {
  const trpc = useTRPC()
  const [text, setText] = useState('')
  const [pushing, setPushing] = useState(false)
  const words = useDeferredValue(text.trim())
  const query = useInfiniteQuery(
    trpc.images.repositories.infiniteQueryOptions(
      { org, query: words || undefined, limit: 50 },
      { getNextPageParam: (page) => page.next ?? undefined },
    ),
  )
  return (
    <>
      <PageHead
        title="Images"
        actions={
          <Button icon={<Upload aria-hidden />} onClick={() => setPushing(true)}>
            Push an image
          </Button>
        }
      />
      <Dialog
        open={pushing}
        onOpenChange={setPushing}
        title="Push an image"
        wide
        description="From any machine with docker (or podman) that reaches this one."
      >
        <HowToPush org={org} />
      </Dialog>
      <Card>
        <div className="relative border-line border-b p-2.5">
          <Search className="absolute top-4.5 left-5 size-4 text-ink-3" aria-hidden />
          <Input
            aria-label="Search the images"
            placeholder="Search"
            value={text}
            onChange={(e) => setText(e.target.value)}
            className="pl-8.5 sm:max-w-80"
          />
        </div>
        <Load query={allItems(query)} what="the images">
          {(items) =>
            items.length === 0 ? (
              words ? (
                <EmptyState title={`No repository is called “${words}”`}>Change the search.</EmptyState>
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
                    <Th>Repository</Th>
                    <Th optional>Runs in</Th>
                    <Th right optional className="w-20">
                      Tags
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
                  {items.map((r) => (
                    <Tr key={r.name} interactive>
                      <Td className="max-w-0">
                        <RowLink href={routes.repository(org, r.name)} className="block truncate font-medium">
                          {r.name}
                        </RowLink>
                        <p className="truncate font-mono text-ink-3 text-xs leading-5">
                          {r.reference}
                          {r.visibility === 'public' && ' · public'}
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
                        {r.tags}
                      </Td>
                      <Td right optional className="text-ink-2">
                        {r.pulls}
                      </Td>
                      <Td right>{formatBytes(r.size)}</Td>
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
