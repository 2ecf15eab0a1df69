import type { views } from '@slipway/contracts'
import { formatDuration } from '@slipway/core'
import { Lightbulb } from 'lucide-react'
import { buildTip } from '@/lib/build-tip'

const code = (text: string) => <span className="font-mono text-[12.5px]">{text}</span>

/** At most one tip under the graph: the one that saves most. */
export function TipRow({ steps }: { steps: views.BuildStepView[] }) {
  const tip = buildTip(steps)
  if (!tip) return null
  const command = tip.step.instruction.replace(/^RUN\s+/i, '')
  return (
    <p className="flex gap-2.5 border-accent-line border-t bg-accent-soft px-4 py-3 text-sm">
      <Lightbulb className="mt-0.5 size-4 shrink-0" aria-hidden />
      <span className="min-w-0 break-words">
        <b className="font-semibold">
          {tip.manifests ? (
            <>
              Copy {code(tip.manifests.join(' '))} and run {code(command)} before the other files are copied in stage “{tip.step.stage}”.
            </>
          ) : (
            <>
              Move {code(command)} above the first COPY in stage “{tip.step.stage}”.
            </>
          )}
        </b>{' '}
        It would have come from the cache and saved <span className="num">{formatDuration(tip.savedMs)}</span> here.
      </span>
    </p>
  )
}
