import { createReadStream, createWriteStream } from 'node:fs'
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

const DEADLINE_MS = 120_000

/**
 * The Docker Engine API over a Unix socket, as plain HTTP: the client must cost little next to a start of 10 ms, and the
 * same for every engine. Each call has a deadline; an answer of 400 and above is an error with the engine's message.
 */
export class Engine {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 128 })

  constructor(
    readonly name: string,
    private readonly socketPath: string,
  ) {}

  /** Gives the parsed JSON of the answer, or its text when it is not JSON. */
  async call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const json = body === undefined ? undefined : JSON.stringify(body)
    const sending = this.open(method, path, json === undefined ? {} : { 'content-type': 'application/json', 'content-length': json.length })
    sending.end(json)
    const text = await this.textOf(await answer(sending))
    return (text.startsWith('{') || text.startsWith('[') ? parseJson(text) : text) as T
  }

  /** A request whose body is a file; its answer may be a stream of JSON lines, of which an `error` is thrown. */
  async upload(method: string, path: string, file: string): Promise<void> {
    const sending = this.open(method, path, { 'content-type': 'application/x-tar' })
    const [, response] = await Promise.all([pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), sending), answer(sending)])
    failIfToldSo(await this.textOf(response))
  }

  /** A request whose answer is long: written to a file, or counted and thrown away. Gives its bytes. */
  async download(path: string, file?: string): Promise<number> {
    const sending = this.open('GET', path, {})
    sending.end()
    const response = await answer(sending)
    if ((response.statusCode ?? 500) >= 400) await this.textOf(response)
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    if (file) await pipeline(response, createWriteStream(file))
    else await ended(response)
    return bytes
  }

  /** Pulls and pushes answer with JSON lines; a failure stands in the last of them. */
  async transfer(path: string): Promise<void> {
    const sending = this.open('POST', path, { 'x-registry-auth': Buffer.from('{}').toString('base64') })
    sending.end()
    failIfToldSo(await this.textOf(await answer(sending)))
  }

  /** Runs a program in a running container and comes back when its streams have ended. */
  async exec(container: string, command: string[]): Promise<void> {
    const { Id } = await this.call<{ Id: string }>('POST', `/containers/${container}/exec`, {
      Cmd: command,
      AttachStdout: true,
      AttachStderr: true,
    })
    const body = '{"Detach":false,"Tty":false}'
    const headers = { 'content-type': 'application/json', 'content-length': body.length, connection: 'Upgrade', upgrade: 'tcp' }
    const sending = request({ socketPath: this.socketPath, method: 'POST', path: `/exec/${Id}/start`, headers, timeout: DEADLINE_MS })
    const streams = new Promise<Duplex>((done, fail) => {
      sending.once('upgrade', (_, socket) => done(socket))
      sending.once('response', (response) => this.textOf(response).then((text) => fail(new Error(`no hijack: ${text}`)), fail))
      sending.once('timeout', () => sending.destroy(new Error('an exec gave no answer')))
      sending.once('error', fail)
    })
    sending.end(body)
    const socket = await streams
    await ended(socket)
    socket.destroy()
  }

  close(): void {
    this.agent.destroy()
  }

  private open(method: string, path: string, headers: Record<string, string | number>): ClientRequest {
    const sending = request({ socketPath: this.socketPath, method, path, headers, agent: this.agent, timeout: DEADLINE_MS })
    sending.once('timeout', () => sending.destroy(new Error(`${this.name}: ${method} ${path} moved nothing for ${DEADLINE_MS / 1000} s`)))
    return sending
  }

  private async textOf(response: IncomingMessage): Promise<string> {
    response.setEncoding('utf8')
    let text = ''
    for await (const piece of response) text += piece
    if ((response.statusCode ?? 500) >= 400) throw new Error(`${this.name} answered ${response.statusCode}: ${text.slice(0, 500)}`)
    return text
  }
}

function answer(sending: ClientRequest): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    sending.once('response', done)
    sending.once('error', fail)
  })
}

function ended(stream: Readable): Promise<void> {
  return new Promise((done, fail) => {
    stream.once('end', done)
    stream.once('error', fail)
    stream.resume()
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text // JSON lines
  }
}

function failIfToldSo(lines: string): void {
  for (const line of lines.split('\n')) {
    if (!line.includes('"error"')) continue
    throw new Error(line.slice(0, 500))
  }
}
