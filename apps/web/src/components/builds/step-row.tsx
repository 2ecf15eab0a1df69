'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { cn, Elapsed, LogView, StatusPill, Td, Tr } from '@slipway/ui'
import { ChevronRight, Zap } from 'lucide-react'
import { useMemo } from 'react'
import { detailsOf } from '@/lib/build-graph'
import type { BuildLogLine } from '@/lib/build-log'
import { reasonOf } from '@/lib/step-reason'

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
  const details = detailsOf(step)
  const reason = step.state === 'cached' ? null : reasonOf(step)
  const has = lines.length > 0 || details.length > 0 || reason !== null
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
            {(reason || details.length > 0) && (
              <div className="grid gap-1 px-4 pt-0.5 pb-2.5 pl-18 text-ink-2 text-xs max-md:pl-4">
                {reason && <p className="break-words">Not from the cache: {reason}</p>}
                {details.length > 0 && <p className="num">{details.join(' · ')}</p>}
              </div>
            )}
            {lines.length > 0 && <LogView lines={shown} label={`Log of step ${step.position}`} className="max-h-105" />}
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
      const reason = reasonOf(step)
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
