'use client'
import type { views } from '@slipway/contracts'
import { Link, StatusPill, Table, Td, Th, TimeAgo, type Tone, Tr } from '@slipway/ui'
import { routes } from '@/lib/routes'

const OUTCOMES: Record<views.DeliveryView['outcome'], { tone: Tone; word: string }> = {
  accepted: { tone: 'live', word: 'Accepted' },
  ignored: { tone: 'idle', word: 'Ignored' },
  refused: { tone: 'fail', word: 'Refused' },
  duplicate: { tone: 'idle', word: 'Duplicate' },
}

/** What came in, and what became of it. */
export function Deliveries({ org, app, deliveries }: { org: string; app: string; deliveries: views.DeliveryView[] }) {
  if (deliveries.length === 0) {
    return (
      <p className="border-line border-t px-4 py-5 text-ink-2 text-sm">
        No delivery yet. Each one is listed here with its outcome and the reason.
      </p>
    )
  }
  return (
    <div className="border-line border-t">
      <h3 className="px-4 pt-3 pb-1 font-medium text-ink-3 text-xs">Deliveries</h3>
      <Table>
        <thead className="sr-only">
          <tr>
            <Th>Outcome</Th>
            <Th>Reason</Th>
            <Th>Server</Th>
            <Th>When</Th>
          </tr>
        </thead>
        <tbody>
          {deliveries.map((d) => {
            const { tone, word } = OUTCOMES[d.outcome]
            return (
              <Tr key={d.id}>
                <Td className="w-28">
                  <StatusPill tone={tone}>{word}</StatusPill>
                </Td>
                <Td className="max-w-0 break-words">
                  {d.reason}
                  {d.build !== null && (
                    <>
                      {' '}
                      <Link href={routes.build(org, app, d.build)} className="whitespace-nowrap text-accent underline underline-offset-3">
                        Build #{d.build}
                      </Link>
                    </>
                  )}
                  <p className="truncate text-ink-3 text-xs leading-5">
                    {[d.event, d.branch, d.commitSha?.slice(0, 7), d.deliveryId].filter(Boolean).join(' · ')}
                  </p>
                </Td>
                <Td optional className="num w-32 whitespace-nowrap text-ink-2">
                  {d.provider !== 'unknown' && d.provider} <span className="text-ink-3">{d.status}</span>
                </Td>
                <Td right className="w-28 text-ink-2">
                  <TimeAgo at={d.receivedAt} />
                </Td>
              </Tr>
            )
          })}
        </tbody>
      </Table>
    </div>
  )
}
