import type { views } from '@slipway/contracts'
import { countUsers } from '@slipway/db'
import type { Deps } from '../deps'
import type { HealthService } from '../services'
import { DEADLINE_MS, type Probe, probes } from './probes'

/** Asked by load balancers and pages at once: one round of questions serves all who ask within this time. */
const FRESH_MS = 1000

type Part = views.HealthView['parts'][number]

async function ask(name: Part['name'], probe: Probe): Promise<Part> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not answer within ${DEADLINE_MS} ms`)), DEADLINE_MS)
  })
  try {
    return { name, state: 'ok', version: await Promise.race([probe(), late]), detail: null }
  } catch (error) {
    return { name, state: 'down', version: null, detail: sentence(error) }
  } finally {
    clearTimeout(timer)
  }
}

/** For everyone who can reach the panel, so no addresses, paths or names of accounts: only our own words and plain codes. */
function sentence(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: unknown }
  // An AppError's and fetch's own codes say less than that of what caused them.
  const systemCode = (cause as { code?: unknown } | null | undefined)?.code
  if (typeof systemCode === 'string' && /^E[A-Z]{1,30}$/.test(systemCode)) return `it cannot be reached (${systemCode})`
  if (error instanceof Error && error.constructor === Error && code === undefined && error.message.startsWith('it ')) return error.message
  return typeof code === 'string' && /^[A-Z_0-9]{1,40}$/.test(code) ? `it cannot be reached (${code})` : 'it cannot be reached'
}

export function createHealth(deps: Deps): HealthService {
  const all = Object.entries(probes(deps)) as [Part['name'], Probe][]
  let last: { at: number; view: Promise<views.HealthView> } | undefined

  async function look(): Promise<views.HealthView> {
    const web: Part = { name: 'web', state: 'ok', version: deps.config.version, detail: null }
    const [users, ...parts] = await Promise.all([
      ask('postgres', async () => String(await countUsers(deps.db))),
      ...all.map(([name, probe]) => ask(name, probe)),
    ])
    return {
      status: parts.every((part) => part.state === 'ok') ? 'ok' : 'degraded',
      version: deps.config.version,
      setup: users.version === '0',
      parts: [web, ...parts],
    }
  }

  return {
    get() {
      if (!last || Date.now() - last.at > FRESH_MS) last = { at: Date.now(), view: look() }
      return last.view
    },
  }
}
