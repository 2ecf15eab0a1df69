/** For tests: a request as the bytes go over the wire, as every client library would tidy it up. */
import { connect } from 'node:net'

export interface RawAnswer {
  status: number
  /** Lower-case names. */
  headers: Record<string, string>
  body: string
  /** Codes of the specification's error body. */
  codes: string[]
}

/** Sends the bytes and reads until the other side ends the line, or says nothing more for `quietMs`. */
export function sendRaw(base: string, bytes: string | Buffer, quietMs = 10_000): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(Number(new URL(base).port), '127.0.0.1', () => socket.write(bytes))
    socket.setTimeout(quietMs, () => socket.destroy())
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(parse(Buffer.concat(chunks).toString('latin1'))))
  })
}

function parse(answer: string): RawAnswer {
  const end = answer.indexOf('\r\n\r\n')
  const [first = '', ...lines] = (end === -1 ? answer : answer.slice(0, end)).split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const body = end === -1 ? '' : answer.slice(end + 4)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0),
    headers,
    body,
    codes: [...body.matchAll(/"code":"([A-Z_]+)"/g)].map((m) => m[1] ?? ''),
  }
}
