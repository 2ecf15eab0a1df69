'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { cn, Elapsed, LogView, StatusPill, Td, Tr } from '@slipway/ui'
import { ChevronRight, Zap } from 'lucide-react'
import { useMemo } from 'react'
import type { BuildLogLine } from '@/lib/build-log'

const REASONS: Record<string, string> = {
  'first-time': 'first time',
  'files-changed': 'its files changed',
  'input-changed': 'its input changed',
  'instruction-changed': 'its instruction changed',
  'base-moved': 'its base image moved',
  evicted: 'it had left the cache',
  'no-cache': 'built without the cache',
}

export function StepRow({
  step,
  lines,
  open,
  onToggle,
}: {
  step: views.BuildStepView
  lines: BuildLogLine[]
  open: boolean
  onToggle: () => void
}) {
  const started = step.startedAt?.getTime()
  const shown = useMemo(
    () =>
      lines.map((line) => ({
        key: line.key,
        time: started === undefined ? '' : `#${step.position} ${Math.max(0, (line.at.getTime() - started) / 1000).toFixed(2)}`,
        text: line.text,
        tone: line.stream === 'system' ? ('system' as const) : undefined,
      })),
    [lines, started, step.position],
  )
  const has = lines.length > 0
  const log = `step-${step.position}-log`
  return (
    <>
      <Tr id={`step-${step.position}`} className={cn('scroll-mt-16', has && 'relative hover:bg-sunken')}>
        <Td className={cn('num pr-0 text-ink-3', open && has && 'border-b-0')}>{step.position}</Td>
        <Td className={cn('max-w-0', open && has && 'border-b-0')}>
          {has ? (
            <button
              type="button"
              onClick={onToggle}
              aria-expanded={open}
              aria-controls={log}
              className="flex w-full items-center gap-1.5 rounded-sm text-left outline-none after:absolute after:inset-0 focus-visible:after:outline-2 focus-visible:after:outline-accent focus-visible:after:-outline-offset-2"
            >
              <ChevronRight
                className={cn('-ml-1 size-3.5 shrink-0 text-ink-3 transition-transform duration-120', open && 'rotate-90')}
                aria-hidden
              />
              <Instruction step={step} />
            </button>
          ) : (
            <span className="flex pl-4">
              <Instruction step={step} />
            </span>
          )}
          <div className="mt-1 pl-4 md:hidden">
            <CacheFact step={step} />
          </div>
        </Td>
        <Td optional className={cn('max-w-0', open && has && 'border-b-0')}>
          <CacheFact step={step} />
        </Td>
        <Td right optional className={cn('text-ink-2', open && has && 'border-b-0')}>
          {step.layerSize === null ? '–' : formatBytes(step.layerSize)}
        </Td>
        <Td right className={cn(open && has && 'border-b-0')}>
          <Elapsed startedAt={step.startedAt} ms={step.durationMs} running={step.state === 'running'} />
        </Td>
      </Tr>
      {open && has && (
        <tr id={log}>
          <td colSpan={5} className="border-line border-b p-0">
            <LogView lines={shown} label={`Log of step ${step.position}`} className="max-h-105" />
          </td>
        </tr>
      )}
    </>
  )
}

function Instruction({ step }: { step: views.BuildStepView }) {
  return (
    <span className="min-w-0 truncate font-mono text-[12.5px]" title={`${step.instruction}\nline ${step.line}`}>
      {step.instruction}
    </span>
  )
}

function CacheFact({ step }: { step: views.BuildStepView }) {
  switch (step.state) {
    case 'pending':
      return <span className="text-ink-3 text-xs">waiting</span>
    case 'cached':
      return <StatusPill tone="hit">Cached</StatusPill>
    case 'running':
      return (
        <StatusPill tone="busy" pulse>
          Running
        </StatusPill>
      )
    case 'failed':
      return <StatusPill tone="fail">{step.exitCode === null ? 'Failed' : `Exit code ${step.exitCode}`}</StatusPill>
    case 'canceled':
      return <StatusPill tone="idle">Canceled</StatusPill>
    case 'skipped':
      return <span className="text-ink-3 text-xs">not reached</span>
    case 'done': {
      const reason = step.missDetail ?? (step.missReason ? (REASONS[step.missReason] ?? step.missReason.replaceAll('-', ' ')) : null)
      if (!reason) return <span className="text-ink-3 text-xs">ran</span>
      return (
        <span className="flex items-start gap-1.5 text-crit text-xs" title={reason}>
          <Zap className="mt-px size-3.5 shrink-0" aria-hidden />
          <span className="line-clamp-2 min-w-0 break-words">
            <span className="sr-only">Not from the cache: </span>
            {reason}
          </span>
        </span>
      )
    }
  }
}
