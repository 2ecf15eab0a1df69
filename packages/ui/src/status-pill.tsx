import type { AppState, BuildState, DeploymentState } from '@slipway/core'
import type { ReactNode } from 'react'
import { cn } from './cn'

export type Tone = 'live' | 'busy' | 'fail' | 'idle' | 'hit'

const TONES: Record<Tone, string> = {
  live: 'bg-live-soft text-live',
  busy: 'bg-busy-soft text-busy',
  fail: 'bg-fail-soft text-fail',
  idle: 'bg-sunken text-ink-2',
  hit: 'bg-cached-soft text-ink-2',
}

/** State is dot + word + colour, never colour alone. `pulse` says that it is still going on. */
export function StatusPill({ tone, pulse, className, children }: { tone: Tone; pulse?: boolean; className?: string; children: ReactNode }) {
  return (
    <span
      className={cn(
        'inline-flex items-center gap-1.5 whitespace-nowrap rounded-full py-0.5 pr-2.25 pl-2 font-[550] text-[12.5px] leading-[19px]',
        TONES[tone],
        className,
      )}
    >
      <span className={cn('size-1.75 rounded-full bg-current', pulse && 'animate-shimmer')} aria-hidden />
      {children}
    </span>
  )
}

interface Status {
  tone: Tone
  word: string
  pulse: boolean
}
const status = (tone: Tone, word: string, pulse = false): Status => ({ tone, word, pulse })

export const APP_STATUS: Record<AppState, Status> = {
  live: status('live', 'Live'),
  building: status('busy', 'Building', true),
  deploying: status('busy', 'Deploying', true),
  failed: status('fail', 'Failed'),
  stopped: status('idle', 'Stopped'),
  empty: status('idle', 'Not deployed'),
}
export const BUILD_STATUS: Record<BuildState, Status> = {
  queued: status('idle', 'Queued', true),
  running: status('busy', 'Building', true),
  succeeded: status('live', 'Built'),
  failed: status('fail', 'Failed'),
  canceled: status('idle', 'Canceled'),
  superseded: status('idle', 'Superseded'),
}
export const DEPLOYMENT_STATUS: Record<DeploymentState, Status> = {
  queued: status('idle', 'Queued', true),
  starting: status('busy', 'Starting', true),
  checking: status('busy', 'Checking health', true),
  switching: status('busy', 'Switching', true),
  serving: status('live', 'Serving'),
  retired: status('idle', 'Retired'),
  failed: status('fail', 'Failed'),
  canceled: status('idle', 'Canceled'),
  superseded: status('idle', 'Superseded'),
}

const pill = ({ tone, word, pulse }: Status, children?: ReactNode) => (
  <StatusPill tone={tone} pulse={pulse}>
    {children ?? word}
  </StatusPill>
)
export const AppStatus = ({ state }: { state: AppState }) => pill(APP_STATUS[state])
/** `children` replaces the word: `Built in 2.4 s`. */
export const BuildStatus = ({ state, children }: { state: BuildState; children?: ReactNode }) => pill(BUILD_STATUS[state], children)
export const DeploymentStatus = ({ state }: { state: DeploymentState }) => pill(DEPLOYMENT_STATUS[state])
