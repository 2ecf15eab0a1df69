import { memo } from 'react'
import { cn } from '../cn'
import { type AnsiColor, parseAnsi } from './ansi'

export interface LogLine {
  key: string | number
  /** `14:02:11`, or a step's own clock: `#6 0.41`. */
  time: string
  text: string
  tone?: 'error' | 'system' | undefined
}

export const LINE_HEIGHT = 20

const COLORS: Record<AnsiColor, string> = {
  red: 'text-fail',
  green: 'text-live',
  yellow: 'text-busy',
  blue: 'text-accent',
  cyan: 'text-accent',
  dim: 'text-ink-3',
}

/** One line, never broken: its height is what the virtual list counts on. */
export const LogLineRow = memo(function LogLineRow({ line }: { line: LogLine }) {
  return (
    <div
      className={cn(
        'flex h-5 w-max min-w-full gap-3.5 px-4 font-mono text-xs leading-5',
        line.tone === 'error' ? 'bg-fail-soft text-fail' : line.tone === 'system' ? 'text-ink-3' : 'text-ink-2',
      )}
    >
      {line.time !== '' && <span className="num shrink-0 select-none text-ink-3">{line.time}</span>}
      <span className="whitespace-pre">
        {parseAnsi(line.text).map((span, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: spans of a line never move
          <span key={index} className={cn(span.color && line.tone !== 'error' && COLORS[span.color], span.bold && 'font-semibold')}>
            {span.text}
          </span>
        ))}
      </span>
    </div>
  )
})
