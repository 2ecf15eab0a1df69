'use client'
import type { RouterInputs } from '@slipway/api'
import type { InspectionResult, views } from '@slipway/contracts'
import { isInspectionOver } from '@slipway/core'
import { useMutation } from '@tanstack/react-query'
import { useSubscription } from '@trpc/tanstack-react-query'
import { useEffect, useRef, useState } from 'react'
import { useTRPC, useTRPCClient } from '@/lib/trpc'

type Source = RouterInputs['inspections']['start']

/** A look at a repository from its beginning to its end; one at a time, and none outlives the page. */
export function useInspection(onResult?: (result: InspectionResult) => void) {
  const trpc = useTRPC()
  const client = useTRPCClient()
  const [source, setSource] = useState<Source | null>(null)
  const [view, setView] = useState<views.InspectionView | null>(null)
  const running = useRef<{ org: string; id: string } | null>(null)
  /** Of the look that is wanted now: an answer to another one comes too late. */
  const turn = useRef(0)
  const open = view !== null && !isInspectionOver(view.state)
  running.current = open && source ? { org: source.org, id: view.id } : null

  const start = useMutation(trpc.inspections.start.mutationOptions({ meta: { quiet: true } }))
  useSubscription(
    trpc.inspections.watch.subscriptionOptions(
      { org: source?.org ?? '', id: view?.id ?? '' },
      {
        enabled: open,
        onData: (next) => {
          if (next.id !== running.current?.id) return
          setView(next)
          if (next.result) onResult?.(next.result)
        },
      },
    ),
  )

  // Whether it was in time is of no interest to anybody.
  const cancel = (at: { org: string; id: string }) => void client.inspections.cancel.mutate(at).catch(() => undefined)
  const stop = () => {
    const at = running.current
    running.current = null
    turn.current++
    if (at) cancel(at)
  }
  const newest = useRef(stop)
  newest.current = stop
  useEffect(() => () => newest.current(), [])

  const reset = () => {
    stop()
    setSource(null)
    setView(null)
    start.reset()
  }
  const begin = (next: Source) => {
    stop()
    setSource(next)
    setView(null)
    const mine = turn.current
    start.mutateAsync(next).then(
      (begun) => (turn.current === mine ? setView(begun) : cancel({ org: next.org, id: begun.id })),
      () => undefined, // said by `error`
    )
  }
  return { view, begin, reset, pending: start.isPending || open, error: start.error, again: source ? () => begin(source) : null }
}
export type InspectionHandle = ReturnType<typeof useInspection>
