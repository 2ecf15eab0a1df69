import { Ship } from 'lucide-react'
import { cn } from '../cn'

export function Mark({ className }: { className?: string }) {
  return (
    <span className={cn('grid size-6 shrink-0 place-items-center rounded-[7px] bg-accent text-accent-ink', className)} aria-hidden>
      <Ship className="size-4" strokeWidth={1.75} />
    </span>
  )
}
