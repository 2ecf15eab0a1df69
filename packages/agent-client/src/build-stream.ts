import { request as httpRequest, type IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { type BuildEvent, type BuildRequest, buildEvent } from '@slipway/contracts'
import tar from 'tar-stream'
import { agentError } from './errors'

/** What `RUN --mount=type=secret` may ask for, by id. Never written to a disk on the way. */
export type BuildSecrets = Readonly<Record<string, string | Uint8Array>>

/**
 * SSH agents that steps may ask, by id: each answers a message of the agent protocol, without its length. Only two questions come: which
 * keys there are (11), and for a signature (13). One that fails is a refusal.
 */
export type BuildSshAgents = Readonly<Record<string, (message: Buffer) => Promise<Buffer>>>

const bytesOf = (value: string | Uint8Array): Buffer => (typeof value === 'string' ? Buffer.from(value) : Buffer.from(value))

/** The body of `POST /slipway/v1/builds`: secrets and names of SSH agents, then request.json. The agent says what of it is not valid. */
function pack(request: BuildRequest, secrets: BuildSecrets, ssh: BuildSshAgents): tar.Pack {
  const body = tar.pack()
  for (const [id, value] of Object.entries(secrets)) body.entry({ name: `secrets/${id}`, mode: 0o600 }, bytesOf(value))
  for (const id of Object.keys(ssh)) body.entry({ name: `ssh/${id}`, mode: 0o600 }, Buffer.alloc(0))
  body.entry({ name: 'request.json' }, Buffer.from(JSON.stringify(request)))
  body.finalize()
  return body
}

/**
 * Runs one build on the agent and yields its events until the last `result` or `error` event.
 * `ssh`: whom `RUN --mount=type=ssh` asks; those questions are answered here, and no events. `registryToken` is for the caches in registries that the request names.
 * Aborting `signal` closes the connection, which cancels the build on the agent within milliseconds.
 * Throws AppError `AGENT_UNREACHABLE` when the connection breaks before the last event (the agent was restarted).
 */
export async function* streamBuild(
  socketPath: string,
  request: BuildRequest,
  signal: AbortSignal,
  secrets: BuildSecrets = {},
  registryToken?: string,
  ssh: BuildSshAgents = {},
): AsyncGenerator<BuildEvent> {
  const doing = 'build the image'
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
  const sending = pipeline(pack(request, secrets, ssh), call)
  // The agent may refuse before it has read everything; then its answer is what counts, not the broken pipe.
  sending.catch((error) => {
    if (!call.destroyed) call.destroy(error as Error)
  })

  let response: IncomingMessage
  try {
    response = await answer
  } catch (error) {
    throw signal.aborted ? signal.reason : agentError(error, doing)
  }
  if (response.statusCode !== 200)
    throw agentError(Object.assign(new Error(await text(response)), { statusCode: response.statusCode }), doing)

  let last = false
  try {
    for await (const line of lines(response)) {
      const event = buildEvent.parse(JSON.parse(line))
      if (event.type === 'ssh') {
        void answerSsh(socketPath, request.id, event, ssh)
        continue
      }
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

/** A step that has gone meanwhile, or a build that is over, is nobody's loss. */
async function answerSsh(socketPath: string, buildId: string, event: Extract<BuildEvent, { type: 'ssh' }>, ssh: BuildSshAgents) {
  const refused = Buffer.from([5])
  const said = await (ssh[event.id]?.(Buffer.from(event.message, 'hex')).catch(() => refused) ?? refused)
  const path = `/slipway/v1/builds/${encodeURIComponent(buildId)}/ssh/${event.ask}`
  const call = httpRequest({ socketPath, method: 'POST', path, headers: { host: 'agent' }, timeout: 10_000 }, (answer) => answer.resume())
  call.on('timeout', () => call.destroy())
  call.on('error', () => undefined)
  call.end(said)
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
