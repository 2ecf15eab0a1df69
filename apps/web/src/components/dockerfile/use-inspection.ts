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

  const stop = () => {
    const at = running.current
    running.current = null
    // Whether it was in time is of no interest to anybody.
    if (at) void client.inspections.cancel.mutate(at).catch(() => undefined)
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
    start.mutate(next, { onSuccess: setView })
  }
  return { view, begin, reset, pending: start.isPending || open, error: start.error, again: source ? () => begin(source) : null }
}
export type InspectionHandle = ReturnType<typeof useInspection>
