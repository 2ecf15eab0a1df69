'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Card, CardHeader, EmptyState, Hash, Link, Table, Td, Tr } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Recycle } from 'lucide-react'
import { Load } from '@/components/load'
import { count } from '@/components/organization/build-cache-card'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

const SHOWN = 8

/** What the collector takes at its next runs, and why. It asks for nobody's leave: nothing of it can be pulled as an image. */
export function CollectableCard({ org }: { org: string }) {
  const trpc = useTRPC()
  const query = useQuery(trpc.storage.collectable.queryOptions({ org }, { refetchInterval: 30_000 }))
  return (
    <Card>
      <CardHeader title="Freed next" aside={query.data && formatBytes(query.data.total.bytes)} />
      <Load query={query} what="what will be freed">
        {(view) =>
          view.items.length === 0 && view.uploads.length === 0 ? (
            <EmptyState icon={<Recycle aria-hidden />} title="Nothing to free">
              Every blob is part of an image. What an image leaves behind goes an hour after it was deleted.
            </EmptyState>
          ) : (
            <Rows org={org} view={view} />
          )
        }
      </Load>
    </Card>
  )
}

function Rows({ org, view }: { org: string; view: views.CollectablesView }) {
  const shown = view.items.slice(0, SHOWN)
  const more = view.total.blobs - shown.length
  return (
    <Table>
      <tbody>
        {shown.map((item) => (
          <Tr key={item.digest}>
            <Td className="max-w-0">
              <Hash copy={item.digest} label="the digest">
                {shortDigest(item.digest, 8)}
              </Hash>
              <p className="mt-1 break-words text-ink-3 text-xs">
                no image of{' '}
                <Link href={routes.repository(org, item.repository)} className="underline underline-offset-3 hover:text-ink">
                  {item.repository}
                </Link>
                {item.repositories > 1 && ` or ${item.repositories - 1} more`} has it · {when(item.goesAt)}
              </p>
            </Td>
            <Td right className="w-24">
              {formatBytes(item.size)}
            </Td>
          </Tr>
        ))}
        {more > 0 && (
          <Tr>
            <Td colSpan={2} className="text-ink-3">
              and {count(more, 'smaller one')}
            </Td>
          </Tr>
        )}
        {view.uploads.map((upload) => (
          <Tr key={upload.id}>
            <Td className="max-w-0">
              <span className="block truncate">Upload to {upload.repository}</span>
              <p className="mt-0.5 text-ink-3 text-xs">not ended · {when(upload.goesAt)} if nothing more comes</p>
            </Td>
            <Td right className="w-24">
              {formatBytes(upload.bytes)}
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}

/** In whole hours and minutes: the collector comes once an hour. */
function when(at: Date): string {
  const minutes = Math.ceil((at.getTime() - Date.now()) / 60_000)
  if (minutes <= 0) return 'goes at the next run'
  return minutes < 90 ? `goes in ${count(minutes, 'minute')}` : `goes in ${Math.round(minutes / 60)} hours`
}
