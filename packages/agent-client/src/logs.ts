import { PassThrough, type Readable } from 'node:stream'
import type Docker from 'dockerode'
import { agentError } from './errors'

export interface ContainerLogLine {
  at: Date
  stream: 'stdout' | 'stderr'
  text: string
}

/** Longest line that is kept whole; the rest of a longer one is dropped, so that a container cannot fill our memory. */
const MAX_LINE = 16_384

/**
 * A container's log from `tail` lines back (or after `since`), and with `follow` until the container is gone or `signal` fires.
 * Lines of both streams come in the order in which the engine sends them.
 */
export async function* containerLogs(
  docker: Docker,
  id: string,
  options: { tail: number; follow: boolean; since?: Date; signal: AbortSignal },
): AsyncGenerator<ContainerLogLine> {
  let raw: Readable
  let tty: boolean
  try {
    const container = docker.getContainer(id)
    tty = (await container.inspect()).Config.Tty
    const common = {
      stdout: true,
      stderr: true,
      timestamps: true,
      tail: options.tail,
      ...(options.since && { since: options.since.getTime() / 1000 }),
    }
    if (options.follow) raw = (await container.logs({ ...common, follow: true, abortSignal: options.signal })) as unknown as Readable
    else {
      raw = new PassThrough()
      ;(raw as PassThrough).end(await container.logs({ ...common, follow: false, abortSignal: options.signal }))
    }
  } catch (error) {
    if (options.signal.aborted) return
    throw agentError(error, 'read the log of a container')
  }
  const stop = () => raw.destroy()
  options.signal.addEventListener('abort', stop, { once: true })
  try {
    const rest = { stdout: '', stderr: '' }
    for await (const { stream, data } of frames(raw, tty)) {
      const parts = (rest[stream] + data.toString('utf8')).split('\n')
      rest[stream] = (parts.pop() ?? '').slice(0, MAX_LINE)
      for (const part of parts) yield parse(part, stream)
    }
    for (const stream of ['stdout', 'stderr'] as const) if (rest[stream]) yield parse(rest[stream], stream)
  } catch (error) {
    if (!options.signal.aborted) throw agentError(error, 'read the log of a container')
  } finally {
    options.signal.removeEventListener('abort', stop)
    raw.destroy()
  }
}

/** Docker's stream frames: 1 byte of stream, 3 of padding, 4 of length (big endian), then the data. A TTY is not framed. */
async function* frames(raw: AsyncIterable<Buffer>, tty: boolean): AsyncGenerator<{ stream: 'stdout' | 'stderr'; data: Buffer }> {
  let buffer: Buffer = Buffer.alloc(0)
  for await (const chunk of raw) {
    if (tty) {
      yield { stream: 'stdout', data: chunk }
      continue
    }
    buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk])
    while (buffer.length >= 8) {
      const length = buffer.readUInt32BE(4)
      if (buffer.length < 8 + length) break
      yield { stream: buffer[0] === 2 ? 'stderr' : 'stdout', data: buffer.subarray(8, 8 + length) }
      buffer = buffer.subarray(8 + length)
    }
  }
}

function parse(line: string, stream: 'stdout' | 'stderr'): ContainerLogLine {
  const space = line.indexOf(' ')
  const at = new Date(line.slice(0, space))
  if (space < 0 || Number.isNaN(at.getTime())) return { at: new Date(), stream, text: line.slice(0, MAX_LINE) }
  return { at, stream, text: line.slice(space + 1).replace(/\r$/, '') }
}
