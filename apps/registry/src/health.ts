import type { ServerResponse } from 'node:http'
import type { Registry } from './context'
import { sendJson } from './http/respond'

const DEADLINE_MS = 2000

/** 200 `{ status: "ok", version }` when the database answers, 503 `{ status: "unavailable", … }` when it does not. */
export async function health({ db, log, version }: Registry, response: ServerResponse): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the database did not answer within ${DEADLINE_MS} ms`)), DEADLINE_MS)
  })
  try {
    await Promise.race([db.$queryRaw`SELECT 1`, deadline])
    sendJson(response, 200, { status: 'ok', version })
  } catch (error) {
    log.warn({ err: error }, 'health: no database')
    sendJson(response, 503, { status: 'unavailable', version, reason: 'database' })
  } finally {
    clearTimeout(timer)
  }
}
