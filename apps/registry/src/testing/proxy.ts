/** For tests: a TCP line in front of a server, that can be cut, or held so that nothing moves any more. */

import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

const MAX_HEARD = 1024 * 1024

export interface Line {
  port: number
  /** `held`: connections are taken and no byte moves. `cut`: those that are there end, new ones end at once. */
  set(state: 'open' | 'held' | 'cut'): void
  /** Holds the line when so many more bytes have gone to the server. */
  holdAfter(bytes: number): void
  /** The begin of what went to the server, at most a megabyte. */
  heard(): string
  close(): Promise<void>
}

export async function startLine(target: number): Promise<Line> {
  let state: 'open' | 'held' | 'cut' = 'open'
  let left = Number.POSITIVE_INFINITY
  let heard = ''
  const sockets = new Set<Socket>()
  const set = (next: typeof state) => {
    state = next
    for (const socket of sockets) {
      if (state === 'cut') socket.destroy()
      else if (state === 'held') socket.pause()
      else socket.resume()
    }
  }
  const server = createServer((near) => {
    if (state === 'cut') return void near.destroy()
    const far = connect(target, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        if (state === 'cut') to.destroy()
        else to.end()
      })
      from.on('data', (chunk: Buffer) => {
        if (from === near) {
          left -= chunk.byteLength
          if (heard.length < MAX_HEARD) heard += chunk.toString('latin1')
        }
        // Nothing is lost: opened again, the line goes on as if it had been slow.
        to.write(chunk)
        if (left <= 0 && state === 'open') set('held')
      })
      if (state === 'held') from.pause()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    set: (next) => {
      left = Number.POSITIVE_INFINITY
      set(next)
    },
    holdAfter: (bytes) => {
      left = bytes
    },
    heard: () => heard,
    close: () => {
      set('cut')
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
