import type { Redis } from './redis'

/**
 * "Read again" signals over Redis pub/sub (contracts `channels`). Losing one costs a second, never data: every reader
 * also polls Postgres. One subscribing connection serves all listeners of a process.
 */
export interface Signals {
  publish(channel: string, payload?: string): void
  /** Returns the function that ends the subscription. */
  subscribe(channel: string, listener: (payload: string) => void): () => void
  /** Resolves at the next signal on `channel`, after `timeoutMs`, or when `abort` fires, whichever comes first. */
  wait(channel: string, timeoutMs: number, abort?: AbortSignal): Promise<void>
  close(): Promise<void>
}

export function createSignals(publisher: Redis, subscriber: Redis, onError: (error: unknown) => void): Signals {
  const listeners = new Map<string, Set<(payload: string) => void>>()
  subscriber.on('message', (channel: string, payload: string) => {
    for (const listener of listeners.get(channel) ?? []) listener(payload)
  })

  const subscribe: Signals['subscribe'] = (channel, listener) => {
    let set = listeners.get(channel)
    if (!set) {
      set = new Set()
      listeners.set(channel, set)
      subscriber.subscribe(channel).catch(onError)
    }
    set.add(listener)
    return () => {
      const current = listeners.get(channel)
      if (!current?.delete(listener) || current.size > 0) return
      listeners.delete(channel)
      subscriber.unsubscribe(channel).catch(onError)
    }
  }

  return {
    publish(channel, payload = '') {
      if (publisher.status !== 'ready') return
      publisher.publish(channel, payload).catch(onError)
    },
    subscribe,
    wait(channel, timeoutMs, abort) {
      return new Promise((resolve) => {
        if (abort?.aborted) return resolve()
        const done = () => {
          clearTimeout(timer)
          unsubscribe()
          abort?.removeEventListener('abort', done)
          resolve()
        }
        const timer = setTimeout(done, timeoutMs)
        const unsubscribe = subscribe(channel, done)
        abort?.addEventListener('abort', done)
      })
    },
    async close() {
      listeners.clear()
      subscriber.disconnect()
      publisher.disconnect()
    },
  }
}
