'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { cn, Elapsed, LogView, StatusPill, Td, Ticked, Tr } from '@slipway/ui'
import { ChevronRight, Zap } from 'lucide-react'
import { useMemo } from 'react'
import { detailsOf, waited } from '@/lib/build-graph'
import type { BuildLogLine } from '@/lib/build-log'
import { reasonOf, shortReasonOf } from '@/lib/step-reason'

export function StepRow({
  step,
  ending,
  lines,
  open,
  onToggle,
}: {
  step: views.BuildStepView
  /** Of the one that failed: why, in two or three words. */
  ending: string | null
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
        <Td className={cn('num pr-0 text-ink-3 max-md:w-9', open && has && 'border-b-0')}>{step.position}</Td>
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
            <CacheFact step={step} ending={ending} />
          </div>
        </Td>
        <Td optional className={cn('max-w-0', open && has && 'border-b-0')}>
          <CacheFact step={step} ending={ending} />
        </Td>
        <Td right optional className={cn(step.state === 'cached' ? 'text-ink-3' : 'text-ink-2', open && has && 'border-b-0')}>
          {step.layerSize === null ? '–' : formatBytes(step.layerSize)}
        </Td>
        <Td right className={cn('max-md:pl-0', step.state === 'cached' && 'text-ink-3', open && has && 'border-b-0')}>
          <Elapsed startedAt={step.startedAt} ms={step.durationMs} running={step.state === 'running'} />
        </Td>
      </Tr>
      {open && has && (
        <tr id={log}>
          {/* Its lines scroll by themselves: they never make the table wider. */}
          <td colSpan={5} className="max-w-0 border-line border-b p-0">
            {(reason || details.length > 0) && (
              <div className="grid gap-1 px-4 pt-0.5 pb-2.5 pl-20 text-ink-2 text-xs max-md:pl-4">
                {reason && (
                  <p className="break-words">
                    Not from the cache: <Ticked text={reason} />
                  </p>
                )}
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
    <span
      className="line-clamp-3 min-w-0 break-words font-mono text-[12.5px] md:block md:truncate"
      title={`${step.instruction}\nline ${step.line}`}
    >
      {step.instruction}
    </span>
  )
}

function CacheFact({ step, ending }: { step: views.BuildStepView; ending: string | null }) {
  switch (step.state) {
    case 'pending':
      return <span className="text-ink-3 text-xs">waiting</span>
    case 'cached':
      return (
        <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <StatusPill tone="hit">Cached</StatusPill>
          {waited(step) && <span className="text-ink-2 text-xs">another build made it meanwhile</span>}
        </span>
      )
    case 'running':
      return (
        <StatusPill tone="busy" pulse>
          Running
        </StatusPill>
      )
    case 'failed':
      return <StatusPill tone="fail">{ending ?? 'Failed'}</StatusPill>
    case 'canceled':
      return <StatusPill tone="idle">Canceled</StatusPill>
    case 'skipped':
      return <span className="text-ink-3 text-xs">not reached</span>
    case 'done': {
      const reason = shortReasonOf(step)
      if (!reason) return <span className="text-ink-3 text-xs">ran</span>
      return (
        <span className="flex items-start gap-1.5 text-crit text-xs" title={reasonOf(step) ?? undefined}>
          <Zap className="mt-px size-3.5 shrink-0" aria-hidden />
          <span className="line-clamp-2 min-w-0 break-words">
            <span className="sr-only">Not from the cache: </span>
            <Ticked text={reason} />
          </span>
        </span>
      )
    }
  }
}
