import { cn } from '@slipway/ui'

/** `team=core`, each on a chip of its own. */
export function Labels({ pairs, className }: { pairs: [key: string, value: string][]; className?: string }) {
  if (pairs.length === 0) return null
  return (
    <ul aria-label="Labels" className={cn('flex min-w-0 max-w-full flex-wrap gap-1.5', className)}>
      {pairs.map(([key, value]) => (
        <li
          key={key}
          className="flex min-w-0 max-w-full rounded-[5px] border border-line bg-sunken px-1.5 font-mono text-xs leading-[18px]"
        >
          <span className="max-w-48 truncate text-ink-2" title={key}>
            {key}
          </span>
          {value !== '' && (
            <span className="min-w-0 truncate" title={value}>
              <span className="text-ink-3">=</span>
              {value}
            </span>
          )}
        </li>
      ))}
    </ul>
  )
}
