'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Button, Card, CardHeader, cn, Table, Td, Th, Tr } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Pencil } from 'lucide-react'
import { useState } from 'react'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { QuotaDialog } from './quota-dialog'

/** For those who run the installation: what each organization uses, and how much it may. */
export function QuotasCard({ org }: { org: string }) {
  const query = useQuery(useTRPC().policies.quotas.queryOptions({ org }))
  const [changing, setChanging] = useState<views.OrganizationQuotaView | null>(null)
  return (
    <Card>
      <CardHeader title="All organizations of this installation" />
      <Load query={query} what="the organizations">
        {(all) => (
          <Table>
            <thead>
              <tr>
                <Th>Organization</Th>
                <Th right className="w-40">
                  Storage
                </Th>
                <Th right optional className="w-40">
                  Repositories
                </Th>
                <Th className="w-14">
                  <span className="sr-only">Actions</span>
                </Th>
              </tr>
            </thead>
            <tbody>
              {all.map((one) => (
                <Tr key={one.slug}>
                  <Td className="max-w-0">
                    <p className="truncate font-medium">{one.name}</p>
                    <p className="truncate font-mono text-ink-3 text-xs leading-5">{one.slug}</p>
                  </Td>
                  <Td right>
                    <Of used={one.bytes} limit={one.maxBytes} format={formatBytes} />
                  </Td>
                  <Td right optional>
                    <Of used={one.repositories} limit={one.maxRepositories} format={(n) => n.toLocaleString('en')} />
                  </Td>
                  <Td right>
                    <Button
                      size="icon-s"
                      variant="ghost"
                      icon={<Pencil aria-hidden />}
                      aria-label={`Change the limits of ${one.slug}`}
                      onClick={() => setChanging(one)}
                    />
                  </Td>
                </Tr>
              ))}
            </tbody>
          </Table>
        )}
      </Load>
      {changing && <QuotaDialog org={org} of={changing} open onOpenChange={(open) => !open && setChanging(null)} />}
    </Card>
  )
}

function Of({ used, limit, format }: { used: number; limit: number | null; format: (n: number) => string }) {
  return (
    <>
      <span className={cn(limit !== null && used >= limit && 'text-fail')}>{format(used)}</span>
      <span className="block text-ink-3 text-xs">{limit === null ? 'no limit' : `of ${format(limit)}`}</span>
    </>
  )
}
