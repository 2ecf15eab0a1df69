/**
 * Takes: an address, a port, a health path and a deadline.
 * Gives: the time until the first good answer; or throws with what was seen last.
 */

import { request } from 'node:http'
import { connect } from 'node:net'
import { AppError } from '@slipway/core'

export interface HealthTarget {
  address: string
  port: number
  path: string
  timeoutSeconds: number
}

/** How one attempt went, in words that fit after "Health check <path>". */
export type Attempt = { ok: true; status: number } | { ok: false; listening: boolean; reason: string }

const ATTEMPT_MS = 5000

/**
 * Asks until an answer is good. For an explicit path that is 200–399; for `/`, which an API may well not serve, any
 * answer below 500 proves that the app is up. `gone` is asked between attempts and throws when the container has ended.
 */
export async function waitHealthy(
  target: HealthTarget,
  gone: () => Promise<void>,
  signal: AbortSignal,
  onAttempt: (attempt: Attempt) => void,
): Promise<{ attempts: number }> {
  const deadline = Date.now() + target.timeoutSeconds * 1000
  let delay = 15
  let last: Attempt | undefined
  for (let attempts = 1; ; attempts++) {
    signal.throwIfAborted()
    last = await attemptOnce(target, Math.min(ATTEMPT_MS, Math.max(250, deadline - Date.now())))
    if (last.ok) return { attempts }
    onAttempt(last)
    await gone()
    if (Date.now() >= deadline) break
    await new Promise((resolve) => setTimeout(resolve, Math.min(delay, Math.max(0, deadline - Date.now()))))
    delay = Math.min(delay * 1.5, 1000)
  }
  if (last.listening)
    throw new AppError({
      kind: 'bad-input',
      code: 'HEALTH_CHECK_FAILED',
      message: `Health check ${target.path} ${last.reason} for ${target.timeoutSeconds} s.`,
      details: { path: target.path, port: target.port },
    })
  throw new AppError({
    kind: 'bad-input',
    code: 'PORT_NOT_LISTENING',
    message: `Nothing listens on port ${target.port} after ${target.timeoutSeconds} s. Let the app listen on 0.0.0.0:${target.port} (it is given as PORT), or set the right port in the settings.`,
    details: { port: target.port },
  })
}

async function attemptOnce(target: HealthTarget, ms: number): Promise<Attempt> {
  const listening = await canConnect(target, ms)
  if (!listening) return { ok: false, listening: false, reason: 'was refused' }
  return new Promise((resolve) => {
    const call = request(
      {
        host: target.address,
        port: target.port,
        path: target.path,
        method: 'GET',
        headers: { host: 'health.slipway.internal', 'user-agent': 'slipway-health', connection: 'close' },
        signal: AbortSignal.timeout(ms),
        agent: false,
      },
      (response) => {
        const status = response.statusCode ?? 0
        response.destroy()
        const good = target.path === '/' ? status < 500 : status >= 200 && status < 400
        resolve(good ? { ok: true, status } : { ok: false, listening: true, reason: `answered ${status}` })
      },
    )
    call.once('error', (error: NodeJS.ErrnoException) =>
      resolve({
        ok: false,
        listening: true,
        reason:
          error.name === 'TimeoutError' || error.name === 'AbortError'
            ? `did not answer within ${Math.round(ms / 100) / 10} s`
            : `broke off (${error.code ?? error.message})`,
      }),
    )
    call.end()
  })
}

function canConnect({ address, port }: HealthTarget, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: ms })
    const end = (up: boolean) => {
      socket.destroy()
      resolve(up)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}
