'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Card, CardHeader, Columns, EmptyState, PageHead, TimeAgo } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { HardDrive } from 'lucide-react'
import { HowToPush } from '@/components/images/how-to-push'
import { Load } from '@/components/load'
import { count } from '@/components/organization/build-cache-card'
import { QuotaCard } from '@/components/policies/quota-card'
import { useTRPC } from '@/lib/trpc'
import { CollectableCard } from './collectable-card'
import { DamagedCard } from './damaged-card'
import { LargestCard } from './largest-card'
import { RepositoriesCard } from './repositories-card'
import { SharedLayersCard } from './shared-layers-card'
import { StoreCards } from './store-cards'
import { UseBar } from './use-bar'

/** Where every byte of the organization's images is. */
export function StoragePage({ org }: { org: string }) {
  const trpc = useTRPC()
  const query = useQuery(trpc.storage.get.queryOptions({ org }, { refetchInterval: 15_000 }))
  return (
    <>
      <PageHead title="Storage" />
      <Load query={query} what="the storage" page>
        {(view) => (
          <>
            {view.damaged.length > 0 && <DamagedCard org={org} damaged={view.damaged} />}
            <QuotaCard org={org} />
            {view.total.blobs === 0 && view.uploads.count === 0 ? <Empty org={org} /> : <Filled org={org} view={view} />}
            {view.runsStore && <StoreCards org={org} />}
          </>
        )}
      </Load>
    </>
  )
}

function Empty({ org }: { org: string }) {
  return (
    <Card>
      <div className="mx-auto max-w-xl">
        <EmptyState icon={<HardDrive aria-hidden />} title="Nothing stored yet" actions={<HowToPush org={org} />}>
          Every build publishes its image here. Or push one:
        </EmptyState>
      </div>
    </Card>
  )
}

function Filled({ org, view }: { org: string; view: views.StorageView }) {
  const largest = view.largest.length > 0
  return (
    <>
      <UsesCard view={view} />
      <Columns
        aside={
          <>
            {largest && <LargestCard org={org} largest={view.largest} />}
            <CollectableCard org={org} />
          </>
        }
      >
        <RepositoriesCard org={org} />
        {view.sharedLayers.some((layer) => layer.images > 0) && (
          <SharedLayersCard org={org} layers={view.sharedLayers.filter((layer) => layer.images > 0)} />
        )}
      </Columns>
    </>
  )
}

function UsesCard({ view }: { view: views.StorageView }) {
  const { uses, total } = view
  const saved = view.withoutSharing - total.bytes
  const blobs = ({ blobs: n }: views.ByteCountView) => count(n, 'blob')
  return (
    <Card>
      <CardHeader
        title={`${formatBytes(total.bytes)} in ${count(view.repositories, 'repository', 'repositories')}`}
        aside={
          <span>
            counted <TimeAgo at={view.asOf} />
          </span>
        }
      />
      <UseBar
        className="px-4 py-4"
        label="Bytes by what they are kept for, to scale"
        parts={[
          { id: 'single', label: 'In one repository', ...part(uses.single), detail: blobs(uses.single), fill: 'own' },
          { id: 'shared', label: 'Shared by several', ...part(uses.shared), detail: blobs(uses.shared), fill: 'shared' },
          { id: 'cache', label: 'Build caches', ...part(uses.cache), detail: blobs(uses.cache), fill: 'quiet' },
          { id: 'unused', label: 'No longer needed', ...part(uses.unused), detail: blobs(uses.unused), fill: 'loose' },
          { id: 'manifests', label: 'Manifests', ...part(view.manifests), detail: count(view.manifests.count, 'manifest'), fill: 'quiet' },
        ]}
      />
      <p className="border-line border-t px-4 py-3 text-ink-2 text-sm">
        {saved > 0 && (
          <>
            Sharing layers saves <strong className="num font-medium text-ink">{formatBytes(saved)}</strong>.{' '}
          </>
        )}
        Manifests lie in the database.{' '}
        {view.uploads.count > 0 && `Besides: ${count(view.uploads.count, 'upload')} under way with ${formatBytes(view.uploads.bytes)}. `}
        {view.lastVerified && (
          <>
            All bytes of the registry were last checked <TimeAgo at={view.lastVerified} />.
          </>
        )}
      </p>
    </Card>
  )
}

const part = ({ bytes }: { bytes: number }) => ({ bytes })
