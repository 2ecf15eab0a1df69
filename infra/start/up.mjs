// Starts all parts of one installation, in the order in which they need each other.
import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ALREADY_THERE, ensureBusybox } from '../base-images/busybox.mjs'
import { ensureInAgent } from '../base-images/publish.mjs'
import { ensureSecrets, prepareDataDirectory } from './data-directory.mjs'
import { StartError } from './errors.mjs'
import { ensureExamples } from './examples.mjs'
import { prepareFirstRun } from './first-run.mjs'
import { endOrphans } from './orphans.mjs'
import { prepareCaddy } from './parts/caddy.mjs'
import { migrate } from './parts/migrations.mjs'
import { databaseUrlOf, preparePostgres } from './parts/postgres.mjs'
import { prepareRedis } from './parts/redis.mjs'
import { agent, checkBuilt, health, registry, removeStaleSockets, web, worker } from './parts/services.mjs'
import { checkPorts, wantedPorts } from './ports.mjs'
import { partEnvironment } from './settings.mjs'

const HEALTHY_DEADLINE_MS = 60_000

/** @param {import('./settings.mjs').Settings} settings */
export function prepareData(settings) {
  prepareDataDirectory(settings)
  ensureSecrets(settings.paths)
}

/**
 * @param {import('./settings.mjs').Settings} settings
 * @param {{ progress: import('./progress.mjs').Progress, supervisor: import('./supervisor.mjs').Supervisor }} context
 * @returns {Promise<{ environment: Record<string, string> }>}
 */
export async function bringUp(settings, { progress, supervisor }) {
  const { paths, ports } = settings
  checkBuilt()
  const left = await endOrphans(paths.processes)
  if (left.length > 0) progress.line(`  Ended what an earlier Slipway left running: ${left.join(', ')}. Containers go on.`)
  await checkPorts(wantedPorts(settings))
  removeStaleSockets([paths.redisSocket, paths.caddyAdminSocket])
  mkdirSync(paths.run, { recursive: true })

  const start = (part) => progress.step(part.title, () => supervisor.start(part))
  // First of all: while the rest comes up, applications that outlived the last supervisor answer again.
  await start(prepareCaddy(settings, { resume: left.length > 0 }))
  const [databaseUrl, redisUrl] = await Promise.all([
    startPostgres(settings, { progress, supervisor }),
    startRedis(settings, { progress, supervisor }),
  ])
  await progress.step('Migrations', () => migrate(databaseUrl))
  await prepareFirstRun(databaseUrl, paths.setupToken)
  await progress.step('Example repositories', () => ensureExamples(paths.examples))

  const environment = partEnvironment(settings, { databaseUrl, redisUrl }, process.env)
  await Promise.all([start(registry(settings, environment)), start(agent(settings))])
  await progress.step('Base image busybox', async (step) => {
    const done = await ensureBusybox({ settings, databaseUrl, step })
    await ensureInAgent(settings, 'busybox', 'latest', { again: done !== ALREADY_THERE })
    return done
  })
  await Promise.all([start(worker(settings, environment)), start(web(settings, environment))])
  await progress.step('All parts healthy', () => untilHealthy(ports.web))
  return { environment }
}

async function startPostgres(settings, { progress, supervisor }) {
  if (settings.databaseUrl) return settings.databaseUrl
  await progress.step('Postgres', async () => {
    const postgres = await preparePostgres(settings)
    await supervisor.start(postgres.part)
    await postgres.createDatabase()
  })
  return databaseUrlOf(settings) // not through the step, which prints what it is handed: this holds a password
}

async function startRedis(settings, { progress, supervisor }) {
  if (settings.redisUrl) return settings.redisUrl
  const redis = prepareRedis(settings)
  await progress.step('Redis', () => supervisor.start(redis.part))
  return redis.redisUrl
}

async function untilHealthy(port) {
  const deadline = Date.now() + HEALTHY_DEADLINE_MS
  let report
  while (Date.now() < deadline) {
    report = await health(port).catch(() => undefined)
    if (report?.status === 'ok') return
    await sleep(100)
  }
  const ill = report?.parts?.filter((part) => part.state !== 'ok') ?? []
  throw new StartError('Not every part became healthy.', {
    hint: 'The logs folder inside the data folder holds one file per part.',
    detail: report
      ? ill.map((part) => `${part.name}: ${part.detail ?? part.state}`).join('\n')
      : 'The web app does not answer /api/health.',
  })
}
