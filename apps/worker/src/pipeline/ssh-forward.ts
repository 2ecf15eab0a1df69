/**
 * Takes: what is asked of the SSH agent of who started a build (`slipway build --ssh`).
 * Gives: what it says, by way of the API, for as long as the build takes.
 */
import { randomUUID } from 'node:crypto'
import { channels, type SshAnswer, type SshRequest, sshAnswer } from '@slipway/contracts'
import type { Signals } from '@slipway/jobs'
import { AGENT_ANSWER_MS, type SshAgent } from '@slipway/outbound/ssh'

/** Until somebody listens: a connection that broke is made again by then. */
const ABSENT_MS = 10_000
/** A signal may be lost, and who answers may come later. */
const AGAIN_MS = 1000
/** A step that asks more at once is refused. */
const MAX_WAITING = 32

export interface ForwardedAgents {
  agents: Record<string, SshAgent>
  end(): void
}

/** `say`: a line of the build's log. */
export function forwardedAgents(signals: Signals, buildId: string, ids: readonly string[], say: (line: string) => void): ForwardedAgents {
  if (ids.length === 0) return { agents: {}, end: () => undefined }
  const waiting = new Map<string, (answer: SshAnswer | null) => void>()
  const unsubscribe = signals.subscribe(channels.sshAnswers(buildId), (payload) => {
    const answer = parse(payload)
    if (answer) waiting.get(answer.ask)?.(answer)
  })
  let told = false
  const gone = () => {
    if (!told) say('The SSH agent of who started the build does not answer; what asks it is refused.')
    told = true
    return new Error('the SSH agent of who started the build does not answer')
  }

  const agentOf =
    (id: string): SshAgent =>
    (message) =>
      new Promise((resolve, reject) => {
        if (waiting.size >= MAX_WAITING) return reject(new Error('too much is asked of an SSH agent at once'))
        const request: SshRequest = { ask: randomUUID(), id, message: message.toString('base64') }
        const tell = () => signals.publish(channels.sshRequests(buildId), JSON.stringify(request))
        const end = (finish: () => void) => {
          waiting.delete(request.ask)
          clearInterval(again)
          clearTimeout(absent)
          clearTimeout(late)
          finish()
        }
        const again = setInterval(tell, AGAIN_MS)
        const absent = setTimeout(() => end(() => reject(gone())), ABSENT_MS)
        // What is waited for there has this deadline itself, and its answer a way to go.
        const late = setTimeout(() => end(() => reject(gone())), AGENT_ANSWER_MS + ABSENT_MS)
        waiting.set(request.ask, (answer) => {
          clearTimeout(absent)
          if (answer === null) end(() => reject(new Error('the build is over')))
          else if (answer.message !== undefined) end(() => resolve(Buffer.from(answer.message ?? '', 'base64')))
        })
        tell()
      })

  return {
    agents: Object.fromEntries(ids.map((id) => [id, agentOf(id)])),
    end() {
      unsubscribe()
      for (const answer of [...waiting.values()]) answer(null)
    },
  }
}

function parse(payload: string): SshAnswer | null {
  try {
    return sshAnswer.parse(JSON.parse(payload))
  } catch {
    return null
  }
}
