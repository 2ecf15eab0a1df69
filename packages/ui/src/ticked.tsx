import { cn } from './cn'

/** A sentence of the server's, in which `…` marks what was written in a file or typed: that part is set as code. */
export function Ticked({ text, className }: { text: string; className?: string }) {
  let at = 0
  return text.split(/(`[^`]+`)/).map((part) => {
    at += part.length
    return part.length > 2 && part.startsWith('`') && part.endsWith('`') ? (
      <code key={at} className={cn('break-words font-mono text-[0.94em]', className)}>
        {part.slice(1, -1)}
      </code>
    ) : (
      part
    )
  })
}
