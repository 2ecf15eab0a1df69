import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Callout, ErrorState, Ticked } from '@slipway/ui'
import type { ReactNode } from 'react'
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
  const outOfMemory = code === 'OUT_OF_MEMORY'
  return (
    <ErrorState
      title={step ? `Step ${step.position} ${outOfMemory ? 'ran out of memory' : 'failed'}` : 'The build failed'}
      code={code}
      message={<Ticked text={message} className="text-ink" />}
    >
      {step && !message.includes(step.instruction) && <p className="break-all font-mono text-ink text-xs">{step.instruction}</p>}
      <ul className="num flex flex-wrap gap-x-4 gap-y-1 text-ink-2 text-sm empty:hidden">
        <DockerfileLine build={build} />
        {step && (
          <li>
            <Place to={`#step-${step.position}`}>Log of step {step.position}</Place>
          </li>
        )}
        {details.exitCode !== undefined && <li>exit code {details.exitCode}</li>}
        {outOfMemory && step?.peakMemoryBytes != null && <li>peak {formatBytes(step.peakMemoryBytes)}</li>}
      </ul>
      <LastLines lines={details.lastLines} />
    </ErrorState>
  )
}

/** `Dockerfile:12`, which leads there where it is shown below. */
function DockerfileLine({ build }: { build: views.BuildView }) {
  const { file = build.dockerfile, line } = build.error?.details ?? {}
  if (line === undefined && build.error?.details.file === undefined) return null
  const place = line === undefined ? file : `${file}:${line}`
  const shown = line !== undefined && file === build.dockerfile && build.dockerfileText !== null
  return <li className="break-all font-mono text-xs leading-5">{shown ? <Place to={`#dockerfile-L${line}`}>{place}</Place> : place}</li>
}

const Place = ({ to, children }: { to: string; children: ReactNode }) => (
  <a href={to} className="rounded-sm text-accent underline underline-offset-3">
    {children}
  </a>
)
