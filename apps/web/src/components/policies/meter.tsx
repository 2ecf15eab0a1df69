import { cn } from '@slipway/ui'

const NEAR = 0.8

/** What is used of a limit, as words and a bar. Without a limit there is nothing to draw to scale: only the number. */
export function Meter({
  label,
  used,
  limit,
  format,
}: {
  label: string
  used: number
  /** Null: there is none. */
  limit: number | null
  format: (n: number) => string
}) {
  const share = limit === null ? 0 : limit === 0 ? 1 : used / limit
  const state = share >= 1 ? 'full' : share >= NEAR ? 'near' : 'room'
  return (
    <div className="min-w-0">
      <div className="mb-1.5 flex flex-wrap justify-between gap-x-3 text-sm">
        <span className="text-ink-2">{label}</span>
        <span className="num">
          <span className="font-medium">{format(used)}</span>
          <span className="text-ink-3">{limit === null ? ' · no limit' : ` of ${format(limit)}`}</span>
        </span>
      </div>
      {limit !== null && (
        <>
          <div
            className="h-2 overflow-hidden rounded-sm bg-sunken"
            role="meter"
            aria-label={label}
            aria-valuemin={0}
            aria-valuemax={Math.max(limit, 1)}
            aria-valuenow={Math.min(used, Math.max(limit, 1))}
            aria-valuetext={`${format(used)} of ${format(limit)}`}
          >
            <div
              className={cn('h-full', state === 'full' ? 'bg-fail' : state === 'near' ? 'bg-busy' : 'bg-accent')}
              style={{ width: used > 0 ? `max(3px, ${Math.min(100, share * 100)}%)` : 0 }}
            />
          </div>
          {state !== 'room' && (
            <p className={cn('mt-1.5 text-xs', state === 'full' ? 'text-fail' : 'text-busy')}>
              {state === 'full' ? 'Full: what needs more is refused.' : `${Math.floor(share * 100)}% is used.`}
            </p>
          )}
        </>
      )}
    </div>
  )
}
