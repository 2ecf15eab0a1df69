'use client'
import { useCallback, useEffect, useRef, useState } from 'react'

/**
 * Lines that arrive faster than a screen can be drawn: they are collected and shown once per frame, and only the newest
 * `cap` are kept.
 */
export function useLogBuffer<T>(cap: number) {
  const [lines, setLines] = useState<T[]>([])
  const [dropped, setDropped] = useState(0)
  const waiting = useRef<T[]>([])
  const frame = useRef<number | null>(null)

  const flush = useCallback(() => {
    frame.current = null
    const batch = waiting.current
    waiting.current = []
    setLines((old) => {
      const all = old.length + batch.length
      if (all <= cap) return [...old, ...batch]
      setDropped((n) => n + all - cap)
      return [...old, ...batch].slice(-cap)
    })
  }, [cap])

  const append = useCallback(
    (batch: T[]) => {
      for (const line of batch) waiting.current.push(line)
      frame.current ??= requestAnimationFrame(flush)
    },
    [flush],
  )
  const clear = useCallback(() => {
    waiting.current = []
    setLines([])
    setDropped(0)
  }, [])
  useEffect(
    () => () => {
      if (frame.current !== null) cancelAnimationFrame(frame.current)
    },
    [],
  )
  return { lines, dropped, append, clear }
}
