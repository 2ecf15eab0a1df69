import type { views } from '@slipway/contracts'
import { formatDuration } from '@slipway/core'
import { Lightbulb } from 'lucide-react'

const code = (text: string) => <span className="break-all font-mono text-[12.5px]">{text}</span>

/** At most one piece of advice under the graph: the one that saves most, told from the last builds. */
export function TipRow({ advice }: { advice: views.BuildAdvice }) {
  const command = advice.instruction.replace(/^RUN\s+/i, '')
  const saved = <b className="num whitespace-nowrap font-semibold">{formatDuration(advice.savedMs)}</b>
  return (
    <p className="flex gap-2.5 border-accent-line border-t bg-accent-soft px-4 py-3 text-sm">
      <Lightbulb className="mt-0.5 size-4 shrink-0" aria-hidden />
      <span className="min-w-0 break-words">
        <b className="font-semibold">
          {advice.manifests ? (
            <>
              Copy {code(advice.manifests.join(' '))} and run {code(command)} before the other files are copied in stage “{advice.stage}”.
            </>
          ) : (
            <>
              Move {code(command)} above the first COPY in stage “{advice.stage}”.
            </>
          )}
        </b>{' '}
        {advice.of === 1 ? (
          <>It would have come from the cache and saved {saved} here.</>
        ) : (
          <>
            It would have come from the cache in {advice.builds} of the last {advice.of} builds and saved {saved}.
          </>
        )}
      </span>
    </p>
  )
}
