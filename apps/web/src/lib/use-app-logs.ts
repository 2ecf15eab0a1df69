'use client'
import type { LogLine } from '@slipway/ui'
import { useSubscription } from '@trpc/tanstack-react-query'
import { useEffect, useRef } from 'react'
import { useLogBuffer } from './log-buffer'
import { useTRPC } from './trpc'
import { useVisible } from './use-visible'

const CAP = 20_000
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** The log of an app's running containers, from `tail` lines back and on as it is written. */
export function useAppLogs(org: string, app: string, options: { tail: number; enabled: boolean }) {
  const trpc = useTRPC()
  const visible = useVisible()
  const { lines, dropped, append, clear } = useLogBuffer<LogLine>(CAP)
  const next = useRef(0)
  const enabled = options.enabled && visible
  // A stream that starts anew brings its tail again.
  useEffect(() => {
    if (enabled) clear()
  }, [enabled, clear])
  const { status, error } = useSubscription(
    trpc.apps.logs.subscriptionOptions(
      { org, app, tail: options.tail },
      {
        enabled,
        onData: ({ data }) =>
          append(
            data.map((line) => ({
              key: next.current++,
              time: clock.format(line.at),
              text: line.text,
              tone: line.stream === 'stderr' ? ('error' as const) : undefined,
            })),
          ),
      },
    ),
  )
  return { lines, dropped, clear, status, error }
}
