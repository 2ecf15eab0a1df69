import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Callout, ErrorState } from '@slipway/ui'
import { LastLines } from '@/components/deployments/deployment-page'

/** Why the build ended, on top of everything: the place, the exit code, the last lines. */
export function BuildFailure({ build }: { build: views.BuildView }) {
  if (build.state === 'superseded')
    return (
      <Callout>
        {build.pullRequest
          ? 'A newer commit of the pull request took this build’s place before it began.'
          : "A newer push took this build's place before it began."}
      </Callout>
    )
  if (build.state === 'canceled' && build.error) return <Callout>{build.error.message}</Callout>
  if (!build.error || build.state !== 'failed') return null
  const { code, message, details } = build.error
  const step = build.steps.find((s) => s.position === details.step) ?? build.steps.find((s) => s.state === 'failed')
  const place = [
    (details.file || details.line) && `${details.file ?? build.dockerfile}${details.line ? `:${details.line}` : ''}`,
    details.exitCode !== undefined && `exit code ${details.exitCode}`,
    code === 'OUT_OF_MEMORY' && step?.peakMemoryBytes != null && `peak ${formatBytes(step.peakMemoryBytes)}`,
  ].filter(Boolean)
  return (
    <ErrorState title={step ? `Step ${step.position} failed` : 'The build failed'} code={code} message={message}>
      {(step || place.length > 0) && (
        <p className="num text-ink-2 text-sm">
          {step && <span className="break-all font-mono text-ink text-xs">{step.instruction}</span>}
          {step && place.length > 0 && ' · '}
          {place.join(' · ')}
        </p>
      )}
      <LastLines lines={details.lastLines} />
    </ErrorState>
  )
}
