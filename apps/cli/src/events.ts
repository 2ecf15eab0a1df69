/**
 * tRPC's subscriptions over server-sent events, without `fetch`, web streams and an EventSource, which take longer to load than to use.
 * A broken connection is made again and goes on after the last event that had an id.
 */
import type { AppRouter } from '@slipway/api'
import { TRPCClientError, type TRPCLink } from '@trpc/client'
import { observable } from '@trpc/server/observable'
import superjson, { type SuperJSONResult } from 'superjson'
import { type Answer, request } from './http'

const FIRST_PAUSE_MS = 100
const PAUSE_MS = 2000
/** Until the server says otherwise. */
const SILENCE_MS = 30_000
/** One event: a build's view, and its log since the last one. */
const MAX_EVENT = 32 * 1024 * 1024
/** What a server that is starting, or a proxy before it, answers. */
const PASSING = new Set([502, 503, 504])
/** tRPC's code of the same, and of an internal error. */
const PASSING_CODE = -32603

interface Told {
  event: string
  data: string
  id: string | undefined
}
type Item = { kind: 'connected' } | { kind: 'returned' } | { kind: 'data'; id: string | undefined; data: unknown }
type Shape = Parameters<typeof TRPCClientError.from>[0]

const revive = (text: string): unknown => superjson.deserialize(JSON.parse(text) as SuperJSONResult)
const refused = (shape: unknown) => TRPCClientError.from<AppRouter>({ error: shape } as Shape)

export function eventsLink(endpoint: string, headers: Record<string, string>): TRPCLink<AppRouter> {
  return () =>
    ({ op }) =>
      observable((observer) => {
        const stop = new AbortController()
        const signal = op.signal ? AbortSignal.any([op.signal, stop.signal]) : stop.signal
        let lastEventId: string | undefined
        let pause = FIRST_PAUSE_MS
        const connecting = (cause: unknown) =>
          observer.next({ result: { type: 'state', state: 'connecting', error: cause ? TRPCClientError.from(cause as Error) : null } })

        /** True when the server has said all. */
        const once = async (): Promise<boolean> => {
          const input = lastEventId === undefined ? op.input : { ...(op.input as object), lastEventId }
          const query = new URLSearchParams({ input: JSON.stringify(superjson.serialize(input)) })
          const answer = await request(`${endpoint}/${op.path}?${query}`, { headers: { ...headers, accept: 'text/event-stream' }, signal })
          for await (const item of itemsOf(answer)) {
            if (item.kind === 'returned') return true
            if (item.kind === 'connected') {
              observer.next({ result: { type: 'started' } })
              observer.next({ result: { type: 'state', state: 'pending', error: null } })
            } else {
              pause = FIRST_PAUSE_MS
              lastEventId = item.id ?? lastEventId
              observer.next({
                result: item.id === undefined ? { data: item.data } : { id: item.id, data: { id: item.id, data: item.data } },
              })
            }
          }
          return false
        }

        const run = async () => {
          for (let over = false; !over && !signal.aborted; ) {
            let cause: unknown
            try {
              over = await once()
            } catch (error) {
              if (error instanceof TRPCClientError && !isPassing(error)) throw error
              cause = error
            }
            if (over || signal.aborted) break
            connecting(cause)
            await rest(pause, signal)
            pause = Math.min(PAUSE_MS, pause * 2)
          }
          observer.next({ result: { type: 'stopped' } })
          observer.complete()
        }
        connecting(null)
        run().catch((error) => observer.error(TRPCClientError.from(error as Error)))
        return () => stop.abort()
      })
}

const isPassing = ({ shape }: TRPCClientError<AppRouter>): boolean => shape?.code === PASSING_CODE

async function* itemsOf(answer: Answer): AsyncGenerator<Item> {
  if (!answer.ok) throw await refusal(answer)
  answer.body.setTimeout(SILENCE_MS, () => answer.body.destroy(new Error('the server says nothing')))
  for await (const { event, data, id } of eventsOf(answer.body)) {
    if (event === 'connected') {
      const { reconnectAfterInactivityMs: silence } = JSON.parse(data) as { reconnectAfterInactivityMs?: number }
      if (silence) answer.body.setTimeout(silence)
      yield { kind: 'connected' }
    } else if (event === 'serialized-error') throw refused(revive(data))
    else if (event === 'return') {
      yield { kind: 'returned' }
      return
    } else if (event === 'message') yield { kind: 'data', id, data: revive(data) }
  }
}

/** What a query would be refused with; anything that is no answer of a Slipway, as it is. */
async function refusal(answer: Answer): Promise<Error> {
  const text = await answer.text().catch(() => '')
  const error = new Error(`the server answered ${answer.status}`)
  if (PASSING.has(answer.status)) return error
  try {
    const value = JSON.parse(text) as { error?: SuperJSONResult }
    if (value.error) return refused(superjson.deserialize(value.error))
  } catch {
    // Something between us and the server answered.
  }
  return TRPCClientError.from(error)
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html, as far as tRPC writes it. */
async function* eventsOf(body: AsyncIterable<Buffer>): AsyncGenerator<Told> {
  const decoder = new TextDecoder()
  let rest = ''
  let told: Told = { event: 'message', data: '', id: undefined }
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true })
    if (rest.length + told.data.length > MAX_EVENT) throw new Error('an event is too large')
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (told.data !== '' || told.event !== 'message') yield told
        told = { event: 'message', data: '', id: undefined }
      }
      const colon = line.indexOf(':')
      if (colon <= 0) continue
      const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
      const field = line.slice(0, colon)
      if (field === 'event') told.event = value
      else if (field === 'data') told.data += told.data === '' ? value : `\n${value}`
      else if (field === 'id' && value !== '') told.id = value
    }
  }
}

function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
