import { cn } from '../cn'
import { type LogLine, LogLineRow } from './log-line'

/** A few lines as they are: the last of a failing step, the tail on an overview. */
export function PlainLog({ lines, label, className }: { lines: LogLine[]; label: string; className?: string }) {
  return (
    <div tabIndex={0} role="region" aria-label={label} className={cn('overflow-x-auto bg-sunken py-2.5 -outline-offset-2', className)}>
      {lines.map((line) => (
        <LogLineRow key={line.key} line={line} />
      ))}
    </div>
  )
}
