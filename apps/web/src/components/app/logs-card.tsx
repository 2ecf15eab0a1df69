'use client'
import { Card, CardHeader, Link, PlainLog } from '@slipway/ui'
import { routes } from '@/lib/routes'
import { useAppLogs } from '@/lib/use-app-logs'

const SHOWN = 12

/** The last lines of the containers, as they are written. */
export function LogsCard({ org, app }: { org: string; app: string }) {
  const { lines, status } = useAppLogs(org, app, { tail: SHOWN, enabled: true })
  return (
    <Card>
      <CardHeader
        title="Logs"
        aside={
          <>
            {status === 'pending' && 'live'}
            <Link href={routes.appTab(org, app, 'logs')} className="rounded-sm hover:text-ink">
              All
            </Link>
          </>
        }
      />
      {lines.length === 0 ? (
        <p className="bg-sunken px-4 py-5 text-ink-3 text-sm">Nothing written yet.</p>
      ) : (
        <PlainLog lines={lines.slice(-SHOWN)} label="Last lines of the log" />
      )}
    </Card>
  )
}
