'use client'
import type { views } from '@slipway/contracts'
import { Button, Callout, Card, CardHeader, EmptyState, Table, Td, Th, Tr } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { CloudDownload, Plus } from 'lucide-react'
import { useState } from 'react'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { HowToPull } from './how-to-pull'
import { UpstreamCard } from './upstream-card'
import { UpstreamForm } from './upstream-form'

/** Numbers move with every pull; nobody needs them to the second. */
const AGAIN_MS = 10_000

export function UpstreamsPage({ org }: { org: string }) {
  const query = useQuery(useTRPC().upstreams.list.queryOptions({ org }, { refetchInterval: AGAIN_MS }))
  return (
    <Load query={query} what="the upstreams">
      {(view) => <Upstreams org={org} view={view} />}
    </Load>
  )
}

function Upstreams({ org, view }: { org: string; view: views.UpstreamsView }) {
  const [adding, setAdding] = useState(false)
  const [example] = view.items
  const add = (
    <Button variant="primary" icon={<Plus aria-hidden />} onClick={() => setAdding(true)}>
      Add an upstream
    </Button>
  )
  return (
    <div className="grid gap-5">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <p className="max-w-2xl text-ink-2 text-sm">
          Other registries, through ours: what was pulled once stays here, also when they are away. Builds and deployments use them by
          themselves, without a login.
        </p>
        {view.mayManage && view.items.length > 0 && add}
      </div>
      {view.items.length === 0 && (
        <Card>
          <EmptyState icon={<CloudDownload aria-hidden />} title="No upstreams" actions={view.mayManage ? add : undefined}>
            {view.mayManage
              ? 'Images of other registries are pulled from there each time. Add Docker Hub, GitHub’s registry or your own, and what was pulled once stays here.'
              : 'Images of other registries are pulled from there each time. An owner of the installation’s first organization can set up upstreams.'}
          </EmptyState>
        </Card>
      )}
      {view.mayManage ? view.items.map((item) => <UpstreamCard key={item.id} org={org} item={item} />) : <Usable items={view.items} />}
      {example && <HowToPull example={example} registryHost={view.registryHost} />}
      {view.mayManage && <UpstreamForm org={org} open={adding} onOpenChange={setAdding} taken={view.items.map(({ host }) => host)} />}
    </div>
  )
}

/** For those who may pull and not change. */
function Usable({ items }: { items: views.UpstreamView[] }) {
  if (items.length === 0) return null
  return (
    <>
      <Card>
        <CardHeader title="You may pull from" />
        <Table>
          <thead>
            <tr>
              <Th>Registry</Th>
              <Th>Name here</Th>
              <Th optional>For</Th>
            </tr>
          </thead>
          <tbody>
            {items.map((item) => (
              <Tr key={item.id}>
                <Td className="max-w-0 truncate font-medium">{item.host}</Td>
                <Td className="max-w-0 truncate font-mono text-xs">{item.prefix}/…</Td>
                <Td optional className="text-ink-2">
                  {item.credentials ? 'Organizations it is shared with' : 'Every account'}
                </Td>
              </Tr>
            ))}
          </tbody>
        </Table>
      </Card>
      <Callout tone="quiet">Upstreams are the installation’s. An owner or admin of its first organization adds and changes them.</Callout>
    </>
  )
}
