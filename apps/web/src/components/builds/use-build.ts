'use client'
import type { views } from '@slipway/contracts'
import { isBuildOver } from '@slipway/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useSubscription } from '@trpc/tanstack-react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { BuildLog } from '@/lib/build-log'
import { useTRPC } from '@/lib/trpc'
import { useVisible } from '@/lib/use-visible'

const CHUNKS = 2000

/** A build and its log, from the beginning and on as it runs. `version` changes whenever the log did. */
export function useBuild(org: string, app: string, number: number) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const visible = useVisible()
  const log = useMemo(() => new BuildLog(), [])
  const [version, setVersion] = useState(0)
  const [read, setRead] = useState(false)
  const frame = useRef<number | null>(null)
  const query = useQuery(trpc.builds.get.queryOptions({ org, app, number }))

  const show = (build: views.BuildView) => client.setQueryData(trpc.builds.get.queryKey({ org, app, number }), build)
  const stream = useSubscription(
    trpc.builds.watch.subscriptionOptions(
      { org, app, number, limit: CHUNKS },
      {
        enabled: visible && !read && query.data !== undefined,
        onData: ({ data }) => {
          show(data.build)
          if (log.append(data.logs).size === 0 || frame.current !== null) return
          frame.current = requestAnimationFrame(() => {
            frame.current = null
            setVersion((n) => n + 1)
          })
        },
        // The server ends the stream when the build is over and its log read to the end.
        onConnectionStateChange: ({ state }) => {
          if (state === 'idle') setRead(true)
        },
      },
    ),
  )
  useEffect(
    () => () => {
      if (frame.current !== null) cancelAnimationFrame(frame.current)
    },
    [],
  )
  // Between two tries: what is shown stands still until the connection is back.
  const lost = stream.status === 'connecting' && stream.error !== null
  return { query, log, version, lost, over: query.data !== undefined && isBuildOver(query.data.state) }
}
