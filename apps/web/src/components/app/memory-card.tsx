'use client'
import { formatBytes } from '@slipway/core'
import { Card, CardHeader, Sparkline } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTRPC } from '@/lib/trpc'

const EVERY_MS = 3000
const KEPT = 60

/** Memory of the app's containers since this page was opened; not shown where the host does not measure it. */
export function MemoryCard({ org, app }: { org: string; app: string }) {
  const trpc = useTRPC()
  const stats = useQuery(trpc.apps.stats.queryOptions({ org, app }, { refetchInterval: EVERY_MS, staleTime: 0 }))
  const [values, setValues] = useState<number[]>([])
  const { data, dataUpdatedAt } = stats
  useEffect(() => {
    if (data && dataUpdatedAt) setValues((old) => [...old, data.memoryBytes].slice(-KEPT))
  }, [data, dataUpdatedAt])
  if (!data) return null
  const peak = Math.max(...values, data.memoryBytes)
  return (
    <Card>
      <CardHeader
        title="Memory"
        aside={
          <>
            {formatBytes(data.memoryBytes)}
            {data.memoryLimitBytes !== null && ` of ${formatBytes(data.memoryLimitBytes)}`}
            <span className="text-ink-3">· CPU {data.cpuPercent.toFixed(data.cpuPercent < 10 ? 1 : 0)} %</span>
          </>
        }
      />
      <div className="pt-3">
        <Sparkline values={values} max={Math.max(peak * 1.6, 1)} />
      </div>
    </Card>
  )
}
