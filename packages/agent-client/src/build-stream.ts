import { closeSync, constants, createReadStream, openSync, readSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { type BuildEvent, type BuildRequest, buildEvent, buildRequest } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import tar from 'tar-stream'
import { agentError } from './errors'

/** One thing of the build context, or of the context that a vertex of the plan names; `path` is relative, with slashes. */
export type ContextEntry = { path: string; mode: number; context?: string } & (
  | { kind: 'file'; size: number; absolutePath: string }
  | { kind: 'directory' }
  | { kind: 'symlink'; target: string }
)

/** What `RUN --mount=type=secret` may ask for, by id. Never written to a disk on the way. */
export type BuildSecrets = Readonly<Record<string, string>>

/** Up to this many bytes a file is read at once and without the thread pool, which costs ten times the read itself. */
const SMALL = 128 * 1024

/** Exactly `size` bytes of a file; throws when it has become shorter. */
function readSmall(path: string, size: number): Buffer {
  const content = Buffer.allocUnsafe(size)
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    for (let at = 0; at < size; ) {
      const read = readSync(file, content, at, size - at, null)
      if (read === 0) throw new Error(`${path} became shorter while it was sent`)
      at += read
    }
  } finally {
    closeSync(file)
  }
  return content
}

/** The body of `POST /slipway/v1/builds`: secrets, request.json, then the contexts. */
async function pack(into: tar.Pack, request: BuildRequest, secrets: BuildSecrets, entries: AsyncIterable<ContextEntry>): Promise<void> {
  for (const [id, value] of Object.entries(secrets)) into.entry({ name: `secrets/${id}`, mode: 0o600 }, Buffer.from(value))
  const body = Buffer.from(JSON.stringify(buildRequest.parse(request)))
  into.entry({ name: 'request.json' }, body)
  for await (const entry of entries) {
    const root = entry.context === undefined ? 'context' : `contexts/${entry.context}`
    // The library takes a mode of 0 for none: with a bit that it cuts off, it is written as it is.
    const header = { name: `${root}/${entry.path}`, mode: (entry.mode & 0o7777) | 0o100000, uid: 0, gid: 0, mtime: new Date(0) }
    if (entry.kind === 'directory') into.entry({ ...header, type: 'directory' })
    else if (entry.kind === 'symlink') into.entry({ ...header, type: 'symlink', linkname: entry.target })
    else if (entry.size <= SMALL) {
      const content = readSmall(entry.absolutePath, entry.size)
      await new Promise<void>((done, failed) => {
        into.entry({ ...header, type: 'file', size: entry.size }, content, (error) => (error ? failed(error) : done()))
      })
    } else {
      const sink = into.entry({ ...header, type: 'file', size: entry.size })
      // `end` bounds the read: a file that grows meanwhile must not break the archive.
      await pipeline(createReadStream(entry.absolutePath, { end: entry.size - 1 }), sink)
    }
  }
  into.finalize()
}

/**
 * Runs one build on the agent and yields its events until the last `result` or `error` event.
 * `registryToken` is for the caches in registries that the request names.
 * Aborting `signal` closes the connection, which cancels the build on the agent within milliseconds.
 * Throws AppError `AGENT_UNREACHABLE` when the connection breaks before the last event (the agent was restarted).
 */
export async function* streamBuild(
  socketPath: string,
  request: BuildRequest,
  entries: AsyncIterable<ContextEntry>,
  signal: AbortSignal,
  secrets: BuildSecrets = {},
  registryToken?: string,
): AsyncGenerator<BuildEvent> {
  const doing = 'build the image'
  const body = tar.pack()
  const call = httpRequest({
    socketPath,
    method: 'POST',
    path: '/slipway/v1/builds',
    headers: {
      host: 'agent',
      'content-type': 'application/x-tar',
      accept: 'application/x-ndjson',
      ...(registryToken && { 'x-registry-auth': Buffer.from(JSON.stringify({ registrytoken: registryToken })).toString('base64url') }),
    },
    signal,
  })
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    call.once('response', resolve)
    call.once('error', reject)
  })
  // Awaited below; until then a failure while packing must not count as unhandled.
  answer.catch(() => undefined)
  const packing = Promise.all([pipeline(body, call), pack(body, request, secrets, entries)])
  packing.catch((error) => {
    // The agent may refuse before it has read everything; then its answer is what counts, not the broken pipe.
    if (!call.destroyed) call.destroy(error as Error)
  })

  let response: IncomingMessage
  try {
    response = await answer
  } catch (error) {
    const cause = await packing.then(
      () => error,
      (packError) => packError,
    )
    throw signal.aborted ? signal.reason : agentError(cause instanceof AppError ? cause : error, doing)
  }
  if (response.statusCode !== 200)
    throw agentError(Object.assign(new Error(await text(response)), { statusCode: response.statusCode }), doing)

  let last = false
  try {
    for await (const line of lines(response)) {
      const event = buildEvent.parse(JSON.parse(line))
      last = event.type === 'result' || event.type === 'error'
      yield event
      if (last) return
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw agentError(error, doing)
  } finally {
    response.destroy()
  }
  if (!last) throw agentError(new Error('the event stream ended early'), doing)
}

/** Lines of an NDJSON stream, each at most 1 MiB. */
async function* lines(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true })
    if (rest.length > 1_048_576 && !rest.includes('\n')) throw new Error('a line of the event stream is over 1 MiB')
    const parts = rest.split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) if (part.trim() !== '') yield part
  }
  if (rest.trim() !== '') yield rest
}

async function text(response: IncomingMessage): Promise<string> {
  let out = ''
  for await (const chunk of response) {
    out += chunk
    if (out.length > 8192) break
  }
  try {
    return (JSON.parse(out) as { message?: string }).message ?? out
  } catch {
    return out
  }
}
