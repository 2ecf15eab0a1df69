import type { Readable } from 'node:stream'
import type Docker from 'dockerode'
import * as z from 'zod'
import { agentError } from './errors'

const event = z.object({ Actor: z.object({ ID: z.string() }) })

/**
 * Ids of containers with that label, as they are started, by whomever: by us, or by the engine after they ended. Only those
 * of now on. Ends when `signal` fires or the agent goes away.
 */
export async function* containerStarts(docker: Docker, label: string, signal: AbortSignal): AsyncGenerator<string> {
  const filters = { type: ['container' as const], event: ['start'], label: [label] }
  let raw: Readable
  try {
    raw = (await docker.getEvents({ filters, abortSignal: signal })) as unknown as Readable
  } catch (error) {
    if (signal.aborted) return
    throw agentError(error, 'tell what happens')
  }
  const stop = () => raw.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    raw.setEncoding('utf8')
    let rest = ''
    for await (const chunk of raw) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line.trim() !== '') yield event.parse(JSON.parse(line)).Actor.ID
    }
  } catch (error) {
    if (!signal.aborted) throw agentError(error, 'tell what happens')
  } finally {
    signal.removeEventListener('abort', stop)
    raw.destroy()
  }
}
