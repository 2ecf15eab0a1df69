'use client'
import { Card, CardHeader, Link, SkeletonRows } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { AuditRow } from '@/components/activity/audit-row'
import { Load } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

export function RecentActivity({ org }: { org: string }) {
  const trpc = useTRPC()
  const audit = useQuery(trpc.organizations.audit.queryOptions({ org, limit: 8 }))
  return (
    <Card>
      <CardHeader
        title="Activity"
        aside={
          <Link href={routes.activity(org)} className="rounded-sm hover:text-ink">
            All
          </Link>
        }
      />
      <Load query={audit} what="the activity" skeleton={<SkeletonRows rows={5} label="Loading the activity" />}>
        {(page) =>
          page.items.length === 0 ? (
            <p className="px-4 py-6 text-ink-2 text-sm">What people and Git servers do here will be listed.</p>
          ) : (
            <ul className="py-1">
              {page.items.map((event) => (
                <AuditRow key={event.id} org={org} event={event} />
              ))}
            </ul>
          )
        }
      </Load>
    </Card>
  )
}
