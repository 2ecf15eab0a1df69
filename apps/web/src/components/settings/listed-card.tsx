import { Button, Card, CardHeader, EmptyState } from '@slipway/ui'
import { Plus } from 'lucide-react'
import type { ReactNode } from 'react'
import { Load } from '@/components/load'
import { Missing, type WayBack } from '@/components/missing'

interface Asked<T> {
  data: T | undefined
  error: unknown
  isFetching?: boolean
  refetch?: () => unknown
}

/** A list of what was set up. The way to set one up is in its head, or in what is said while there is none. */
export function ListedCard<T, Item>({
  title,
  query,
  itemsOf,
  what,
  add,
  onAdd,
  none,
  children,
  form,
}: {
  title: string
  query: Asked<T>
  itemsOf: (answer: T) => Item[]
  /** For the title of an error: `the rules`. */
  what: string
  /** The words of its button: `Add a rule`. */
  add: string
  onAdd: () => void
  none: { icon: ReactNode; title: string; text: ReactNode }
  children: (items: Item[]) => ReactNode
  /** The dialog that `onAdd` opens. */
  form: (answer: T) => ReactNode
}) {
  const button = (
    <Button size="s" icon={<Plus aria-hidden />} onClick={onAdd}>
      {add}
    </Button>
  )
  return (
    <Card>
      <CardHeader title={title} aside={query.data !== undefined && itemsOf(query.data).length > 0 && button} />
      <Load query={query} what={what}>
        {(answer) => {
          const items = itemsOf(answer)
          return (
            <>
              {items.length === 0 ? (
                <EmptyState icon={none.icon} title={none.title} actions={button}>
                  {none.text}
                </EmptyState>
              ) : (
                children(items)
              )}
              {form(answer)}
            </>
          )
        }}
      </Load>
    </Card>
  )
}

/** The page of one of them; when it is gone, the way back to the others. */
export function OneOf<T, Item extends { id: string }>({
  query,
  itemsOf,
  id,
  what,
  back,
  children,
}: {
  query: Asked<T>
  itemsOf: (answer: T) => Item[]
  id: string
  /** `this rule` */
  what: string
  back: WayBack
  children: (item: Item, answer: T) => ReactNode
}) {
  return (
    <Load query={query} what={what} card>
      {(answer) => {
        const item = itemsOf(answer).find((one) => one.id === id)
        return item ? children(item, answer) : <Missing what={what} back={back} />
      }}
    </Load>
  )
}
