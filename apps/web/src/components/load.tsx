'use client'
import { Button, Card, ErrorState, SkeletonRows } from '@slipway/ui'
import type { ReactNode } from 'react'
import { Missing, type WayBack } from '@/components/missing'
import { readError } from '@/lib/errors'

interface Loading<T> {
  data: T | undefined
  error: unknown
  isFetching?: boolean
  refetch?: () => unknown
}

/** One answer of the server in its states: a skeleton, what went wrong with the way on, or the thing itself (kept while it is renewed). */
export function Load<T>({
  query,
  what,
  skeleton,
  page,
  card,
  back,
  children,
}: {
  query: Loading<T>
  /** What is loaded, for the title of an error: `this build`. */
  what: string
  skeleton?: ReactNode
  /** The page is nothing without it: an error takes the page's place. */
  page?: boolean
  /** What comes is a card of its own: its skeleton is one, too. */
  card?: boolean
  /** Where people go on from what is not there. */
  back?: WayBack
  children: (data: T) => ReactNode
}) {
  if (query.data !== undefined) return children(query.data)
  if (query.error) return <LoadError query={query} what={what} page={page} back={back} />
  if (skeleton !== undefined) return skeleton
  const rows = <SkeletonRows label={`Loading ${what}`} />
  return page || card ? <Card>{rows}</Card> : rows
}

function LoadError<T>({
  query,
  what,
  page,
  back,
}: {
  query: Loading<T>
  what: string
  page: boolean | undefined
  back: WayBack | undefined
}) {
  const { code, message, status } = readError(query.error)
  if (status === 404 && page) return <Missing page what={what} code={code} back={back} message={message} />
  return (
    <ErrorState
      page={page}
      title={`Slipway could not show ${what}`}
      code={code}
      message={message}
      actions={
        query.refetch && (
          <Button onClick={() => query.refetch?.()} pending={query.isFetching === true}>
            Try again
          </Button>
        )
      }
    />
  )
}

/** An error beside the form or the button that caused it. */
export function InlineError({ error }: { error: unknown }) {
  if (!error) return null
  const { code, message } = readError(error)
  return (
    <p role="alert" className="rounded-sm border border-fail-line bg-fail-soft px-3 py-2 text-fail text-sm">
      {message} <span className="whitespace-nowrap font-mono text-xs">{code}</span>
    </p>
  )
}
