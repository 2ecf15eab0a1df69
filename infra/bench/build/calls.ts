/**
 * The three calls to the agent that a build of a folder takes. As the command line's, they load no schemas: those are the server's part, and
 * took this client longer to load than most builds take. What the agent says is taken as it is: here both sides are of one commit.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import type { AgentContexts } from '@slipway/agent-client'
import type { BuildEvent, BuildRequest } from '@slipway/contracts'
import tar from 'tar-stream'

export function calls(socketPath: string, signal: AbortSignal) {
  const ask = (method: string, path: string, body: Readable | Buffer | string, headers: Record<string, string> = {}) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const call = httpRequest({ socketPath, method, path, headers: { host: 'engine', ...headers }, signal }, resolve)
      call.once('error', reject)
      if (typeof body === 'string' || Buffer.isBuffer(body)) call.end(body)
      else body.pipe(call)
    })
  const json = async <T>(
    method: string,
    path: string,
    body: Readable | Buffer | string,
    headers?: Record<string, string>,
    also = 200,
  ): Promise<T> => {
    const answer = await ask(method, path, body, headers)
    const said = await text(answer)
    if (answer.statusCode !== 200 && answer.statusCode !== also) throw new Error(`${path}: ${answer.statusCode} ${said.slice(0, 500)}`)
    return JSON.parse(said) as T
  }
  const at = (rest: string, scope: string) => `/slipway/v1/contexts/${rest}?scope=${encodeURIComponent(scope)}`
  const contexts: AgentContexts = {
    missing: (scope, asked) => json('POST', at('missing', scope), JSON.stringify(asked), { 'content-type': 'application/json' }),
    send: (scope, objects, encoding) => json('POST', at('objects', scope), objects, { 'content-encoding': encoding }),
    // 409 says what is missing.
    commit: (scope, tree) => json('POST', at(`${tree}/commit`, scope), '', {}, 409),
  }
  return {
    contexts,
    inspect: (reference: string) =>
      json<{ Id: string; Config: Record<string, unknown> }>('GET', `/images/${encodeURIComponent(reference)}/json`, ''),
    async *build(request: BuildRequest): AsyncGenerator<BuildEvent> {
      const body = tar.pack()
      body.entry({ name: 'request.json' }, JSON.stringify(request))
      body.finalize()
      let rest = ''
      for await (const chunk of (await ask('POST', '/slipway/v1/builds', await buffer(body))).setEncoding('utf8')) {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) yield JSON.parse(line) as BuildEvent
      }
    },
  }
}
