/**
 * All connections of this process: how many there may be, and that a client takes what it asked for. One look at all of them
 * each window costs nothing per request; a timer per response would.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import type { Pace } from './body'

/** Of all addresses together. Each costs some kilobytes and a file handle; a busy registry has hundreds. */
export const MAX_CONNECTIONS = 10_000

/** What the client has taken, and what still waits for it, in bytes. */
interface Sent {
  taken: number
  waiting: number
}

export class Connections {
  readonly #open = new Map<Socket, Sent>()
  readonly #timer: NodeJS.Timeout
  #refused = 0

  constructor(readonly options: { most: number; slowest: Pace; log: Logger }) {
    this.#timer = setInterval(() => this.#look(), options.slowest.windowMs)
    this.#timer.unref()
  }

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      if (this.#open.size >= this.options.most) {
        this.#refused++
        socket.destroy()
        return
      }
      this.#open.set(socket, sentTo(socket))
      socket.once('close', () => this.#open.delete(socket))
    })
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const { slowest, most, log } = this.options
    for (const [socket, before] of this.#open) {
      const now = sentTo(socket)
      this.#open.set(socket, now)
      // Of what waited at the beginning only: bytes that were written just now have had no time.
      if (now.taken - before.taken >= Math.min(slowest.bytes, before.waiting)) continue
      log.info({ address: socket.remoteAddress, waiting: now.waiting }, 'ended a response whose client takes it too slowly')
      socket.destroy()
    }
    if (this.#refused > 0) log.warn({ refused: this.#refused, most }, 'connections were refused: SLIPWAY_REGISTRY_MAX_CONNECTIONS are open')
    this.#refused = 0
  }
}

/**
 * The handle's own counts, as Node's idle timeout takes them: a public one moves only when a whole write has ended, which is half
 * a megabyte here. Without them nobody is too slow, and the idle timeout is all there is.
 */
function sentTo(socket: Socket): Sent {
  const { _handle: handle } = socket as unknown as { _handle?: { bytesWritten?: number; writeQueueSize?: number } | null }
  const waiting = handle?.writeQueueSize ?? 0
  return { taken: (handle?.bytesWritten ?? 0) - waiting, waiting }
}
