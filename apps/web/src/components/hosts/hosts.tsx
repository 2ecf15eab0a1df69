'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Card, CardHeader, EmptyState, KeyValue, PageHead, StatusPill, TimeAgo } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Server } from 'lucide-react'
import { Fragment } from 'react'
import { ContainersTable } from '@/components/deployments/containers-card'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { BuildPolicyCard } from './build-policy-card'

/** The machines that run the containers. */
export function Hosts({ org }: { org: string }) {
  const trpc = useTRPC()
  const query = useQuery(trpc.hosts.list.queryOptions({ org }, { refetchInterval: 15_000 }))
  return (
    <>
      <PageHead title="Hosts" />
      <Load query={query} what="the hosts" card>
        {(hosts) =>
          hosts.length === 0 ? (
            <Card>
              <EmptyState icon={<Server aria-hidden />} title="No host has reported yet">
                The agent on this machine reports as soon as it runs. If this stays, look at the agent's log.
              </EmptyState>
            </Card>
          ) : (
            hosts.map((host) => (
              <Fragment key={host.id}>
                <HostCard host={host} />
                {host.mayRun && host.state === 'online' && <BuildPolicyCard org={org} host={host} />}
              </Fragment>
            ))
          )
        }
      </Load>
    </>
  )
}

function HostCard({ host }: { host: views.HostView }) {
  const running = host.containers.filter((c) => c.state === 'running').length
  const machine = [
    host.cpus === null ? null : `${host.cpus} CPUs`,
    host.memoryBytes === null ? null : formatBytes(host.memoryBytes),
    host.architecture,
  ]
    .filter(Boolean)
    .join(' · ')
  return (
    <Card>
      <CardHeader
        title={host.name}
        extra={<StatusPill tone={host.state === 'online' ? 'live' : 'fail'}>{host.state === 'online' ? 'Online' : 'Offline'}</StatusPill>}
        aside={
          host.lastSeenAt && (
            <>
              seen <TimeAgo at={host.lastSeenAt} />
            </>
          )
        }
      />
      <KeyValue
        items={[
          { key: 'Machine', value: machine || '–' },
          { key: 'System', value: [host.os, host.kernel].filter(Boolean).join(' · ') || '–' },
          { key: 'Agent', value: host.version ?? '–' },
          { key: 'Running', value: running === 1 ? '1 container of this organization' : `${running} containers of this organization` },
        ]}
      />
      {host.containers.length > 0 && (
        <div className="border-line border-t">
          <ContainersTable containers={host.containers} />
        </div>
      )}
    </Card>
  )
}
