import { cn } from './cn'

/** How far something under way is. `label` says what the part is: `Copied`. */
export function ProgressBar({ label, percent, className }: { label: string; percent: number; className?: string | undefined }) {
  return (
    <div
      className={cn('h-1 overflow-hidden rounded-full bg-sunken', className)}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(percent)}
    >
      <div className="h-full rounded-full bg-busy transition-[width] duration-300" style={{ width: `${percent}%` }} />
    </div>
  )
}
