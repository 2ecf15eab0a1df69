'use client'
import { Card, CardHeader, Columns, Hash, KeyValue } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { BuildCacheCard } from './build-cache-card'
import { HealthCard } from './health-card'
import { KnownHosts } from './known-hosts'

export function OrganizationSettings({ org }: { org: string }) {
  const trpc = useTRPC()
  const query = useQuery(trpc.organizations.get.queryOptions({ org }))
  return (
    <Load query={query} what="the organization" card>
      {(organization) => (
        <Columns
          aside={
            <>
              <Card>
                <CardHeader title="Organization" />
                <KeyValue
                  items={[
                    { key: 'Name', value: organization.name },
                    {
                      key: 'Images',
                      value: <Hash copy={`slipway.local/${organization.slug}`}>{`slipway.local/${organization.slug}`}</Hash>,
                    },
                    { key: 'Registry', value: <Hash copy={organization.registryHost}>{organization.registryHost}</Hash> },
                    { key: 'Your role', value: organization.role },
                  ]}
                />
              </Card>
              <HealthCard />
            </>
          }
        >
          <KnownHosts org={org} role={organization.role} />
          <BuildCacheCard org={org} role={organization.role} />
        </Columns>
      )}
    </Load>
  )
}
