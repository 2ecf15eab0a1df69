'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, isBuildOver } from '@slipway/core'
import { BuildGraph, BuildGraphKey, Card, CardHeader, useNow } from '@slipway/ui'
import { timelineOf } from '@/lib/build-graph'
import { TipRow } from './tip-row'

/** Where the time went: which steps ran, in which stage, and which of them decided how long it took. */
export function TimeCard({ build, advice }: { build: views.BuildView; advice: views.BuildAdvice | null }) {
  const now = useNow(isBuildOver(build.state) ? null : 250)
  const timeline = timelineOf(build, now)
  if (!timeline) return null
  const peak = Math.max(0, ...build.steps.map((s) => s.peakMemoryBytes ?? 0))
  return (
    <Card>
      <CardHeader
        title="Where the time went"
        aside={[
          build.totalSteps > 0 ? `${build.cachedSteps} of ${build.totalSteps} steps from cache` : null,
          peak > 0 ? `peak ${formatBytes(peak)}` : null,
        ]
          .filter(Boolean)
          .join(' · ')}
      />
      <BuildGraph vertices={timeline.vertices} totalMs={timeline.totalMs} onSelect={goToStep} />
      <BuildGraphKey />
      {advice && <TipRow advice={advice} />}
    </Card>
  )
}

/** Where the step is told in full; what is no step of the Dockerfile stands in the log below them. */
function goToStep(id: string) {
  const row = document.getElementById(`step-${id}`) ?? document.getElementById('pipeline-log')
  row?.scrollIntoView({ block: 'center' })
  // From the keyboard one goes on from there.
  row?.querySelector('button')?.focus({ preventScroll: true })
}
