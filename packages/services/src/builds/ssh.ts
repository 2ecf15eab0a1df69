/** The SSH agent of who started a build: what its steps ask is told to them, and what they answer goes back to the worker. */
import { channels, OVER, type SshRequest, sshRequest } from '@slipway/contracts'
import { AppError, isBuildOver } from '@slipway/core'
import type { BuildRow } from '@slipway/db'
import { restarting } from '../changes/changes'
import type { Deps } from '../deps'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { BuildsService } from '../services'
import { uploadOptions } from './upload-options'

/** A lost signal costs this long. */
const POLL_MS = 5000
/** The worker tells what is not answered again. */
const MAX_WAITING = 64

type Load = (scope: Scope, app: string, number: number) => Promise<BuildRow>

export function sshMethods({ signals, stopping }: Deps, load: Load): Pick<BuildsService, 'sshRequests' | 'sshAnswer'> {
  const own = async (scope: Scope, { app, number }: { app: string; number: number }): Promise<BuildRow> => {
    assertMay(scope, 'change')
    const row = await load(scope, app, number)
    const by = uploadOptions(row)?.ssh.by ?? null
    if (by === null || by !== scope.actor.userId)
      throw new AppError({
        kind: 'forbidden',
        code: 'NOT_YOUR_BUILD',
        message: 'Only who started this build with slipway build --ssh answers for its SSH agent.',
      })
    return row
  }

  return {
    async *sshRequests(scope, input, signal) {
      const row = await own(scope, input)
      const waiting = new Map<string, SshRequest>()
      let over = isBuildOver(row.state)
      let mayBeOver = false
      let wake: () => void = () => undefined
      const unsubscribes = [
        signals.subscribe(channels.sshRequests(row.id), (payload) => {
          const request = parse(payload)
          if (request && (waiting.has(request.ask) || waiting.size < MAX_WAITING)) waiting.set(request.ask, request)
          wake()
        }),
        signals.subscribe(channels.build(row.id), (payload) => {
          mayBeOver ||= payload === OVER
          if (mayBeOver) wake()
        }),
      ]
      const onAbort = () => wake()
      for (const one of [signal, stopping]) one?.addEventListener('abort', onAbort)
      try {
        while (!over && !signal?.aborted) {
          if (stopping?.aborted) throw restarting()
          for (const request of waiting.values()) {
            waiting.delete(request.ask)
            signals.publish(channels.sshAnswers(row.id), JSON.stringify({ ask: request.ask }))
            yield request
          }
          if (waiting.size > 0 || signal?.aborted || stopping?.aborted) continue
          if (!mayBeOver)
            await new Promise<void>((resolve) => {
              const timer = setTimeout(() => {
                mayBeOver = true
                resolve()
              }, POLL_MS)
              wake = () => {
                clearTimeout(timer)
                resolve()
              }
            })
          // A build that was handed back tells its end, too, and goes on later.
          if (mayBeOver) over = isBuildOver((await own(scope, input)).state)
          mayBeOver = false
        }
      } finally {
        for (const one of [signal, stopping]) one?.removeEventListener('abort', onAbort)
        for (const unsubscribe of unsubscribes) unsubscribe()
      }
    },

    async sshAnswer(scope, input) {
      const row = await own(scope, input)
      if (row.state !== 'running')
        throw new AppError({ kind: 'conflict', code: 'BUILD_OVER', message: `Build #${row.number} does not run.` })
      signals.publish(channels.sshAnswers(row.id), JSON.stringify({ ask: input.ask, message: input.message }))
    },
  }
}

function parse(payload: string): SshRequest | null {
  try {
    return sshRequest.parse(JSON.parse(payload))
  } catch {
    return null
  }
}
