/**
 * The load program, the same for both registries: HTTP/1.1 over plain sockets that stay open, one request after the other on
 * each. It reads no more of an answer than it must, so that on a small machine the registry has the processor, not its asker.
 */
import { createConnection, type Socket } from 'node:net'

export interface Answer {
  status: number
  /** The head as it came. */
  head: string
  /** Of the body. */
  bytes: number
}

const READ_BYTES = 1024 * 1024
const HEAD_END = Buffer.from('\r\n\r\n')

export class Connection {
  readonly #socket: Socket
  #head = Buffer.alloc(0)
  #answer: Answer | undefined
  #left = 0
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined
  #failed: Error | undefined
  #isHead = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the registry closed the connection')))
  }

  static open(host: string): Promise<Connection> {
    const [address, port] = host.split(':')
    return new Promise((resolve, reject) => {
      let connection: Connection | undefined
      const onread = {
        // One buffer for all that comes: what is measured is the registry, not this program's memory.
        buffer: Buffer.allocUnsafe(READ_BYTES),
        callback: (bytes: number, buffer: Uint8Array) => {
          connection?.take(buffer as Buffer, bytes)
          return true
        },
      }
      const socket = createConnection({ host: address, port: Number(port), noDelay: true, onread }, () => resolve(made))
      const made = new Connection(socket)
      connection = made
      socket.once('error', reject)
    })
  }

  /** Sends the request, whose body may follow its head (in pieces), and resolves when the answer is whole. */
  send(head: Buffer, ...body: Buffer[]): Promise<Answer> {
    if (this.#failed) return Promise.reject(this.#failed)
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#isHead = head[0] === 72
      this.#socket.cork()
      for (const piece of [head, ...body]) this.#socket.write(piece)
      this.#socket.uncork()
    })
  }

  take(buffer: Buffer, bytes: number): void {
    if (this.#answer) {
      this.#body(bytes)
      return
    }
    const chunk = buffer.subarray(0, bytes)
    const all = this.#head.byteLength === 0 ? chunk : Buffer.concat([this.#head, chunk])
    const end = all.indexOf(HEAD_END)
    if (end === -1) {
      this.#head = Buffer.from(all)
      return
    }
    this.#head = Buffer.alloc(0)
    const head = all.toString('latin1', 0, end)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (length === undefined) {
      this.#fail(new Error(`an answer without a length: ${head}`))
      return
    }
    this.#answer = { status: Number(head.slice(9, 12)), head, bytes: Number(length) }
    this.#left = this.#isHead ? 0 : Number(length)
    this.#body(all.byteLength - end - HEAD_END.byteLength)
  }

  #body(bytes: number): void {
    this.#left -= bytes
    const answer = this.#answer
    if (this.#left > 0 || !answer) return
    this.#answer = undefined
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(answer)
  }

  #fail(error: Error): void {
    this.#failed ??= error
    this.#waiting?.reject(this.#failed)
    this.#waiting = undefined
  }

  close(): void {
    this.#failed ??= new Error('closed')
    this.#socket.destroy()
  }
}

export interface Target {
  /** `127.0.0.1:5000` */
  host: string
  /** Empty: none is asked for. */
  token: string
}

/** The bytes of a request's head. */
export function requestHead({ host, token }: Target, method: string, path: string, headers: Record<string, string | number> = {}): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, `host: ${host}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)]
  if (token) lines.push(`authorization: Bearer ${token}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
}

export interface Load {
  /** Requests, or whatever `work` does once, per second. */
  perSecond: number
  bytesPerSecond: number
}

/** `connections` of them, each doing `work` again and again for `seconds`; what is under way then is let end and counted. */
export async function load(
  target: Target,
  connections: number,
  seconds: number,
  work: (connection: Connection) => Promise<number>,
): Promise<Load> {
  const open = await Promise.all(Array.from({ length: connections }, () => Connection.open(target.host)))
  let count = 0
  let bytes = 0
  const start = performance.now()
  const until = start + seconds * 1000
  try {
    await Promise.all(
      open.map(async (connection) => {
        while (performance.now() < until) {
          bytes += await work(connection)
          count++
        }
      }),
    )
  } finally {
    for (const connection of open) connection.close()
  }
  const took = (performance.now() - start) / 1000
  return { perSecond: count / took, bytesPerSecond: bytes / took }
}

export function expectStatus(wanted: number, answer: Answer): Answer {
  if (answer.status !== wanted) throw new Error(`${answer.status} instead of ${wanted}: ${answer.head.slice(0, 400)}`)
  return answer
}

/** Where an upload goes on, as a path with a query. */
export function locationOf(answer: Answer, digest: string): string {
  const location = /\r\nlocation: *(\S+)/i.exec(answer.head)?.[1] ?? ''
  const url = new URL(location, 'http://registry')
  url.searchParams.set('digest', digest)
  return url.pathname + url.search
}
