'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Card, CardHeader, KeyValue, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Load } from '@/components/load'
import { count } from '@/components/organization/build-cache-card'
import { useTRPC } from '@/lib/trpc'
import { KeysCard } from './keys-card'
import { type Part, RowBar, UseBar } from './use-bar'
import { VerifyCard } from './verify-card'

/** The whole store, of all organizations: for those who run the installation. */
export function StoreCards({ org }: { org: string }) {
  const trpc = useTRPC()
  const query = useQuery(
    trpc.storage.installation.queryOptions(
      { org },
      { refetchInterval: (q) => (q.state.data?.verifications.some((v) => v.state === 'queued' || v.state === 'running') ? 1500 : 20_000) },
    ),
  )
  return (
    <Load query={query} what="the whole store" card>
      {(view) => (
        <>
          <StoreCard view={view} />
          <VerifyCard org={org} view={view} />
          <KeysCard org={org} />
        </>
      )}
    </Load>
  )
}

function StoreCard({ view }: { view: views.InstallationStorageView }) {
  const { store, total } = view
  const largest = view.organizations[0]?.bytes ?? 0
  const single = total.bytes - view.shared.bytes - view.unused.bytes - view.unlinked.bytes
  const parts: Part[] = [
    { id: 'single', label: 'Of one organization', bytes: single, fill: 'own' },
    { id: 'shared', label: 'Shared by several', bytes: view.shared.bytes, fill: 'shared' },
    { id: 'manifests', label: 'Manifests, in the database', bytes: view.manifests.bytes, fill: 'quiet' },
    { id: 'loose', label: 'No longer needed', bytes: view.unused.bytes + view.unlinked.bytes + (store?.strayBytes ?? 0), fill: 'loose' },
    { id: 'quarantine', label: 'Damaged, kept aside', bytes: store?.quarantinedBytes ?? 0, fill: 'quiet' },
  ]
  return (
    <Card>
      <CardHeader
        title={`The whole store: ${formatBytes(parts.reduce((sum, one) => sum + one.bytes, 0))}`}
        aside={
          store?.freeBytes != null && store.totalBytes != null && `${formatBytes(store.freeBytes)} of ${formatBytes(store.totalBytes)} free`
        }
      />
      <UseBar className="px-4 py-4" label="Bytes of all organizations, to scale" parts={parts} />
      <Table className="border-line border-t">
        <thead>
          <tr>
            <Th>Organization</Th>
            <Th right optional>
              Repositories
            </Th>
            <Th right className="w-24">
              All
            </Th>
            <Th right optional className="w-24">
              Only theirs
            </Th>
          </tr>
        </thead>
        <tbody>
          {view.organizations.map((one) => (
            <Tr key={one.slug}>
              <Td className="max-w-0">
                <span className="block truncate font-medium">{one.name}</span>
                <div className="mt-1.5">
                  <RowBar
                    of={largest}
                    parts={[
                      { bytes: one.only, fill: 'own' },
                      { bytes: one.bytes - one.only, fill: 'shared' },
                    ]}
                  />
                </div>
              </Td>
              <Td right optional className="text-ink-2">
                {one.repositories}
              </Td>
              <Td right>{formatBytes(one.bytes)}</Td>
              <Td right optional className="text-ink-2">
                {formatBytes(one.only)}
              </Td>
            </Tr>
          ))}
        </tbody>
      </Table>
      {store && (
        <div className="border-line border-t">
          <KeyValue
            items={[
              { key: 'Kept in', value: store.kind === 's3' ? 'S3' : 'Files on a disk' },
              {
                key: 'Uploads',
                value: store.uploads === 0 ? 'none under way' : `${count(store.uploads, 'upload')}, ${formatBytes(store.uploadBytes)}`,
              },
              ...(store.strays > 0
                ? [{ key: 'Without a row', value: `${count(store.strays, 'file')}, ${formatBytes(store.strayBytes)}` }]
                : []),
              { key: 'Collected', value: <TimeAgo at={store.countedAt} /> },
            ]}
          />
        </div>
      )}
    </Card>
  )
}
