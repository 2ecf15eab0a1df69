'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, formatDuration } from '@slipway/core'
import { Card, CardHeader, cn, Hash, Link, Ticked } from '@slipway/ui'
import { ArrowDown, ArrowUp, Minus, Plus, Zap } from 'lucide-react'
import { type ComponentType, useState } from 'react'
import { routes } from '@/lib/routes'

type Kind = views.StepChange['kind']
const LOOKS: Record<Kind, { icon: ComponentType<{ className?: string }>; tone: string; word: string }> = {
  miss: { icon: Zap, tone: 'text-crit', word: 'Ran again' },
  slower: { icon: ArrowUp, tone: 'text-crit', word: 'Slower' },
  bigger: { icon: ArrowUp, tone: 'text-crit', word: 'Bigger' },
  new: { icon: Plus, tone: 'text-ink-2', word: 'New' },
  gone: { icon: Minus, tone: 'text-ink-2', word: 'Gone' },
  hit: { icon: ArrowDown, tone: 'text-live', word: 'Now cached' },
  faster: { icon: ArrowDown, tone: 'text-live', word: 'Faster' },
  smaller: { icon: ArrowDown, tone: 'text-live', word: 'Smaller' },
}
/** Shown before somebody asks for the rest. */
const FEW = 6

/** What this build did otherwise than the good one before it: what ran again, what got slower or bigger, and what got better. */
export function ComparisonCard({
  org,
  app,
  comparison,
  whole,
}: {
  org: string
  app: string
  comparison: views.BuildComparison
  /** The build came to its end: one that broke off is no quicker for it. */
  whole: boolean
}) {
  const [all, setAll] = useState(false)
  const { changes } = comparison
  const shown = all ? changes : changes.slice(0, FEW)
  return (
    <Card>
      <CardHeader
        title="Compared with the last good build"
        extra={
          <Link href={routes.build(org, app, comparison.number)} className="rounded-[5px]" aria-label={`Build #${comparison.number}`}>
            <Hash className="hover:border-line-strong">#{comparison.number}</Hash>
          </Link>
        }
      />
      {whole && (
        <dl className="grid grid-cols-3 divide-x divide-line border-line border-b">
          <Figure
            label="Time"
            value={comparison.durationMs === null ? '–' : formatDuration(comparison.durationMs)}
            delta={difference(comparison.durationMs, comparison.previousDurationMs, formatDuration)}
          />
          <Figure
            label="Layers"
            value={formatBytes(comparison.layerBytes)}
            delta={difference(comparison.layerBytes, comparison.previousLayerBytes, formatBytes)}
          />
          <Figure
            label="From the cache"
            value={`${comparison.cachedSteps} ${comparison.cachedSteps === 1 ? 'step' : 'steps'}`}
            delta={difference(comparison.cachedSteps, comparison.previousCachedSteps, String)}
          />
        </dl>
      )}
      {changes.length === 0 ? (
        <p className="px-4 py-3 text-ink-2 text-sm">Every step did as it did then.</p>
      ) : (
        <ul className="divide-y divide-line">
          {shown.map((change) => (
            <Change key={`${change.kind}${change.stage}${change.instruction}${change.position}`} change={change} />
          ))}
        </ul>
      )}
      {changes.length > FEW && (
        <button
          type="button"
          aria-expanded={all}
          onClick={() => setAll(!all)}
          className="w-full border-line border-t px-4 py-2 text-left font-medium text-accent text-sm -outline-offset-2 hover:bg-hover"
        >
          {all ? 'Show less' : `Show ${changes.length - FEW} more`}
        </button>
      )}
    </Card>
  )
}

function Figure({ label, value, delta }: { label: string; value: string; delta: string }) {
  return (
    <div className="min-w-0 px-4 py-2.5">
      <dt className="truncate text-ink-3 text-xs">{label}</dt>
      <dd className="num flex flex-wrap items-baseline gap-x-2 font-medium text-sm">
        {value} <span className="font-normal text-ink-2 text-xs">{delta}</span>
      </dd>
    </div>
  )
}

function Change({ change }: { change: views.StepChange }) {
  const { icon: Icon, tone, word } = LOOKS[change.kind]
  const what = (
    <>
      <span className={cn('flex w-24 shrink-0 items-baseline gap-1.5 text-xs', tone)}>
        <Icon className="size-3.5 shrink-0 self-center" aria-hidden />
        {word}
      </span>
      <span className="min-w-0 flex-1">
        <span className="block truncate font-mono text-[12.5px]" title={change.instruction}>
          {change.instruction}
        </span>
        {change.reason && (
          <span className="line-clamp-2 break-words text-ink-2 text-xs" title={change.reason}>
            <Ticked text={change.reason} />
          </span>
        )}
      </span>
      <span className="num shrink-0 text-ink-2 text-xs">{figures(change)}</span>
    </>
  )
  const style = 'flex items-baseline gap-3 px-4 py-2'
  if (change.position === null) return <li className={style}>{what}</li>
  return (
    <li>
      <a href={`#step-${change.position}`} className={cn(style, '-outline-offset-2 hover:bg-hover')}>
        {what}
      </a>
    </li>
  )
}

function figures({ kind, before, after }: views.StepChange): string {
  if (kind === 'miss' && after !== null) return `cached → ${formatDuration(after)}`
  if (kind === 'hit' && before !== null) return `${formatDuration(before)} → cached`
  const format = kind === 'bigger' || kind === 'smaller' ? formatBytes : formatDuration
  if (before !== null && after !== null) return `${format(before)} → ${format(after)}`
  const one = after ?? before
  return one === null ? '' : format(one)
}

/** `+1.2 s`, `−8 MB`, `the same`. */
function difference(now: number | null, before: number | null, format: (n: number) => string): string {
  if (now === null || before === null) return ''
  if (now === before) return 'the same'
  return `${now > before ? '+' : '−'}${format(Math.abs(now - before))}`
}
