'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Button, Card, CardHeader } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Pencil } from 'lucide-react'
import { useState } from 'react'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { Meter } from './meter'
import { QuotaDialog } from './quota-dialog'

/** What the organization has in the registry, and how much it may have. */
export function QuotaCard({ org }: { org: string }) {
  const query = useQuery(useTRPC().policies.quota.queryOptions({ org }, { refetchInterval: 15_000 }))
  const [changing, setChanging] = useState(false)
  return (
    <Card aria-label="Limits">
      <CardHeader
        title="Limits"
        aside={
          query.data?.maySet && (
            <Button size="s" icon={<Pencil aria-hidden />} onClick={() => setChanging(true)}>
              Change
            </Button>
          )
        }
      />
      <Load query={query} what="the limits">
        {(quota) => (
          <>
            <Meters quota={quota} />
            {!quota.maySet && (
              <p className="border-line border-t px-4 py-3 text-ink-3 text-xs">
                An owner or admin of the installation’s first organization sets the limits.
              </p>
            )}
            {quota.maySet && <QuotaDialog org={org} of={{ slug: org, ...quota }} open={changing} onOpenChange={setChanging} />}
          </>
        )}
      </Load>
    </Card>
  )
}

function Meters({ quota }: { quota: views.QuotaView }) {
  return (
    <div className="grid gap-4 p-4 sm:grid-cols-2 sm:gap-6">
      <Meter label="Storage" used={quota.bytes} limit={quota.maxBytes} format={formatBytes} />
      <Meter label="Repositories" used={quota.repositories} limit={quota.maxRepositories} format={(n) => n.toLocaleString('en')} />
    </div>
  )
}
