import { cn } from './cn'

/** The place something will take, while it loads. */
export function Skeleton({ className }: { className?: string }) {
  return <span aria-hidden className={cn('block h-4 animate-shimmer rounded-sm bg-hover', className)} />
}

const WIDTHS = ['w-40', 'w-56', 'w-32', 'w-48', 'w-36', 'w-52']

/** Rows like those of the table to come; `label` is what a screen reader hears. */
export function SkeletonRows({ rows = 4, label = 'Loading' }: { rows?: number; label?: string }) {
  return (
    <div role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, row) => row).map((row) => (
        <div key={row} className="flex items-center gap-4 border-line border-b px-4 py-3.5 last:border-b-0">
          <Skeleton className={WIDTHS[row % WIDTHS.length]} />
          <Skeleton className="ml-auto w-20" />
        </div>
      ))}
    </div>
  )
}
