'use client'
import type { views } from '@slipway/contracts'
import { Card, CardHeader, StatusPill } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'

const NAMES: Record<views.HealthView['parts'][number]['name'], string> = {
  web: 'Web',
  postgres: 'PostgreSQL',
  redis: 'Redis',
  registry: 'Registry',
  agent: 'Agent',
  worker: 'Worker',
  router: 'Router',
}

/** The parts of this installation and whether each answers. */
export function HealthCard() {
  const trpc = useTRPC()
  const query = useQuery(trpc.system.health.queryOptions(undefined, { refetchInterval: 10_000 }))
  return (
    <Card>
      <CardHeader title="Installation" aside={query.data && `Slipway ${query.data.version}`} />
      <Load query={query} what="the state of the installation">
        {(health) => (
          <ul>
            {health.parts.map((part) => (
              <li key={part.name} className="flex items-center gap-3 border-line border-b px-4 py-2 text-sm last:border-b-0">
                <span className="min-w-0 flex-1">
                  {NAMES[part.name]}
                  {part.state === 'down' && part.detail && <span className="block break-words text-fail text-xs">{part.detail}</span>}
                </span>
                {part.version && <span className="num truncate font-mono text-ink-3 text-xs">{part.version}</span>}
                <StatusPill tone={part.state === 'ok' ? 'live' : 'fail'}>{part.state === 'ok' ? 'Running' : 'Down'}</StatusPill>
              </li>
            ))}
          </ul>
        )}
      </Load>
    </Card>
  )
}
