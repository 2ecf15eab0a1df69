'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Button, Card, CardHeader, EmptyState, LayerHead, Table, Td, TimeAgo, Tr } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Layers } from 'lucide-react'
import { useState } from 'react'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { ClearBuildCache } from './clear-build-cache'

const SHOWN = 8
export const count = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

/** What builds of this organization left on the host so that the next ones are faster. */
export function BuildCacheCard({ org, role }: { org: string; role: views.Role }) {
  const trpc = useTRPC()
  const query = useQuery(trpc.buildCache.get.queryOptions({ org }))
  const [clearing, setClearing] = useState(false)
  const [all, setAll] = useState(false)
  const filled = (query.data?.entries.length ?? 0) > 0
  return (
    <Card>
      <CardHeader
        title="Build cache"
        aside={
          filled &&
          role !== 'guest' && (
            <Button size="s" onClick={() => setClearing(true)}>
              Clear…
            </Button>
          )
        }
      />
      <Load query={query} what="the build cache">
        {(cache) =>
          cache.entries.length === 0 ? (
            <EmptyState icon={<Layers aria-hidden />} title="Nothing cached">
              The first build leaves its steps here; the next one takes from it what has not changed.
            </EmptyState>
          ) : (
            <>
              <p className="border-line border-b px-4 py-3 text-ink-2 text-sm">
                <strong className="num font-medium text-ink">{formatBytes(cache.bytes)}</strong> beside your images:{' '}
                {count(cache.layers, 'step')} and {count(cache.mounts, 'cache mount')}. The host keeps up to {formatBytes(cache.maxBytes)}{' '}
                for everyone; what was used longest ago goes first
                {cache.unusedDays !== null && `, and what was not used for ${count(cache.unusedDays, 'day')}`}.
              </p>
              <Entries entries={all ? cache.entries : cache.entries.slice(0, SHOWN)} />
              {(cache.entries.length > SHOWN || cache.more > 0) && (
                <div className="flex items-center justify-center gap-3 border-line border-t px-4 py-2.5 text-ink-3 text-sm">
                  {all
                    ? cache.more > 0 && `${count(cache.more, 'more entry', 'more entries')}, used longer ago`
                    : cache.entries.length > SHOWN && (
                        <Button variant="ghost" onClick={() => setAll(true)}>
                          Show more
                        </Button>
                      )}
                </div>
              )}
            </>
          )
        }
      </Load>
      <ClearBuildCache org={org} open={clearing} onOpenChange={setClearing} />
    </Card>
  )
}

export function Entries({ entries }: { entries: views.BuildCacheEntryView[] }) {
  return (
    <Table>
      <LayerHead between={['Uses', 'Last used']} />
      <tbody>
        {entries.map((entry) => (
          <Tr key={`${entry.kind}/${entry.id}`}>
            <Td className="max-w-0">
              <span className="block truncate font-mono text-[12.5px]" title={entry.text ?? undefined}>
                {entry.text ?? entry.id.slice(0, 12)}
              </span>
              <span className="block truncate text-ink-3 text-xs leading-5">{originOf(entry)}</span>
            </Td>
            <Td right optional className="num text-ink-2">
              {entry.uses}
            </Td>
            <Td right optional className="whitespace-nowrap text-ink-2">
              <TimeAgo at={entry.lastUsedAt} />
            </Td>
            <Td right className="num whitespace-nowrap">
              {formatBytes(entry.bytes)}
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}

function originOf({ kind, repository, keptBy, inUse }: views.BuildCacheEntryView): string {
  const parts = [
    kind === 'mount' ? 'Cache mount' : null,
    repository,
    keptBy.length > 0 ? 'also in an image' : null,
    inUse ? 'in use now' : null,
  ].filter((part) => part !== null)
  return parts.length > 0 ? parts.join(' · ') : 'Step'
}
