import { OVER } from '@slipway/contracts'
import { createDb } from '@slipway/db'
import type { Signals } from '@slipway/jobs'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createChanges } from './changes'

// Connects at the first query, of which ticks make none.
const db = createDb('postgresql://unused@127.0.0.1:9/unused')

function bus() {
  const listeners = new Set<(payload: string) => void>()
  const signals: Signals = {
    publish: (_, payload = '') => {
      for (const listener of listeners) listener(payload)
    },
    subscribe(_, listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    wait: async () => undefined,
    close: async () => undefined,
  }
  return { signals, listeners }
}

it('ticks at once, after a signal, without one now and then, and ends with its reader', async () => {
  const { signals, listeners } = bus()
  const end = new AbortController()
  let ticks = 0
  const reading = (async () => {
    for await (const _ of createChanges({ db, signals }).ticks('c', end.signal)) ticks++
  })()
  await expect.poll(() => ticks, { timeout: 15_000, interval: 1 }).toBe(1)
  signals.publish('c')
  await expect.poll(() => ticks, { timeout: 15_000, interval: 1 }).toBe(2)
  await expect.poll(() => ticks, { timeout: 15_000 }).toBe(3)
  end.abort()
  await reading
  expect(listeners.size).toBe(0)
})

it('misses no signal that comes while the reader reads, and puts a burst together', async () => {
  const { signals } = bus()
  const end = new AbortController()
  let ticks = 0
  for await (const _ of createChanges({ db, signals }).ticks('c', end.signal)) {
    ticks++
    if (ticks === 1) for (let i = 0; i < 100; i++) signals.publish('c')
    if (ticks === 2) end.abort()
  }
  expect(ticks).toBe(2)
})

it('reads the end at once, and what comes before it when it has been quiet', async () => {
  // Stands still: what comes without it moving waits for nothing.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const settled = async () => {
    for (let i = 0; i < 50; i++) await Promise.resolve()
  }
  const { signals } = bus()
  const end = new AbortController()
  let ticks = 0
  const reading = (async () => {
    for await (const _ of createChanges({ db, signals }).ticks('c', end.signal)) {
      ticks++
      // While it reads.
      if (ticks === 2) signals.publish('c', OVER)
    }
  })()
  await settled()
  signals.publish('c')
  await settled()
  expect(ticks).toBe(1)
  signals.publish('c', OVER)
  await settled()
  expect(ticks).toBe(3)
  end.abort()
  await reading
})

it('refuses with a try-again when the server stops', async () => {
  const { signals, listeners } = bus()
  const stopping = new AbortController()
  setTimeout(() => stopping.abort(), 100)
  const reading = (async () => {
    for await (const _ of createChanges({ db, signals, stopping: stopping.signal }).ticks('c', undefined));
  })()
  await expect(reading).rejects.toMatchObject({ code: 'RESTARTING', status: 503 })
  expect(listeners.size).toBe(0)
})
