import { ArrowDown, ArrowUp } from 'lucide-react'
import type { HTMLAttributes, TdHTMLAttributes, ThHTMLAttributes } from 'react'
import { cn } from './cn'

/** Rows of facts. `optional` cells leave on the phone; `right` ones are numbers. */
export function Table({ className, ...rest }: HTMLAttributes<HTMLTableElement>) {
  return <table className={cn('w-full border-collapse text-sm', className)} {...rest} />
}

interface CellProps {
  right?: boolean
  optional?: boolean
}
export function Th({ right, optional, className, ...rest }: ThHTMLAttributes<HTMLTableCellElement> & CellProps) {
  return (
    <th
      scope="col"
      className={cn(
        'whitespace-nowrap border-line border-b px-4 py-2 text-left font-medium text-ink-3 text-xs',
        right && 'text-right',
        optional && 'hidden md:table-cell',
        className,
      )}
      {...rest}
    />
  )
}
/** A column that the rows can be sorted by; `sorted` is null where they are by another one. */
export function SortTh({
  sorted,
  onSort,
  children,
  ...rest
}: ThHTMLAttributes<HTMLTableCellElement> & CellProps & { sorted: 'asc' | 'desc' | null; onSort: () => void }) {
  const Arrow = sorted === 'asc' ? ArrowUp : ArrowDown
  return (
    <Th aria-sort={sorted === 'asc' ? 'ascending' : sorted === 'desc' ? 'descending' : 'none'} {...rest}>
      <button
        type="button"
        onClick={onSort}
        className={cn(
          'group -mx-1 inline-flex cursor-pointer align-middle items-center gap-1 rounded px-1 transition-colors duration-120 hover:text-ink',
          rest.right && 'flex-row-reverse',
          sorted && 'text-ink-2',
        )}
      >
        {children}
        <Arrow
          aria-hidden
          className={cn('size-3', sorted ? 'opacity-100' : 'opacity-0 group-hover:opacity-50 group-focus-visible:opacity-50')}
        />
      </button>
    </Th>
  )
}

export function Td({ right, optional, className, ...rest }: TdHTMLAttributes<HTMLTableCellElement> & CellProps) {
  return (
    <td
      className={cn(
        'border-line border-b px-4 py-2.25 align-middle [tr:last-child>&]:border-b-0',
        right && 'num whitespace-nowrap text-right',
        optional && 'hidden md:table-cell',
        className,
      )}
      {...rest}
    />
  )
}

/** `interactive` rows hold one stretched link (`RowLink`) and answer to the pointer. */
export function Tr({ interactive, className, ...rest }: HTMLAttributes<HTMLTableRowElement> & { interactive?: boolean }) {
  return <tr className={cn(interactive && 'relative transition-colors duration-120 hover:bg-sunken', className)} {...rest} />
}
