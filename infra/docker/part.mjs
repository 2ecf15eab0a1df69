// Runs one part in the foreground, as its container's only program: `node infra/docker/part.mjs web`. The commands and the
// environment are those of `npm start`. `prepare` makes the data folder, its secrets and the tables, and ends.
import { spawn } from 'node:child_process'
import { ensureBusybox } from '../base-images/busybox.mjs'
import { StartError } from '../start/errors.mjs'
import { ensureExamples } from '../start/examples.mjs'
import { prepareFirstRun, setupLink } from '../start/first-run.mjs'
import { prepareCaddy } from '../start/parts/caddy.mjs'
import { migrate } from '../start/parts/migrations.mjs'
import { agent, registry, removeStaleSockets, web, worker } from '../start/parts/services.mjs'
import { partEnvironment, readSettings } from '../start/settings.mjs'
import { prepareData } from '../start/up.mjs'

const PARTS = { registry, agent, worker, web, router: (given) => prepareCaddy(given) }

const [name] = process.argv.slice(2)
const settings = readSettings(process.env)
if (!settings.databaseUrl || !settings.redisUrl)
  fail('DATABASE_URL and REDIS_URL are needed: in containers, Postgres and Redis are parts of their own.')
const stores = { databaseUrl: settings.databaseUrl ?? '', redisUrl: settings.redisUrl ?? '' }

try {
  if (name === 'prepare') await prepare()
  else if (name === 'base-image')
    process.stdout.write(`${await ensureBusybox({ settings, databaseUrl: stores.databaseUrl, step: { detail: () => undefined } })}\n`)
  else if (PARTS[name]) runPart(PARTS[name](settings, partEnvironment(settings, stores, process.env)))
  else fail(`There is no part “${name}”. There are: prepare, base-image, ${Object.keys(PARTS).join(', ')}.`)
} catch (error) {
  fail(error instanceof StartError ? [error.detail, error.message, error.hint].filter(Boolean).join('\n') : error.stack)
}

async function prepare() {
  prepareData(settings)
  process.stdout.write(`Migrations: ${await migrate(stores.databaseUrl)}\n`)
  await ensureExamples(settings.paths.examples)
  await prepareFirstRun(stores.databaseUrl, settings.paths.setupToken)
  const link = setupLink(settings.webUrl, settings.paths.setupToken)
  if (link) process.stdout.write(`Create the first account with this link, which works once:\n  ${link}\n`)
}

function runPart(part) {
  if (part.name === 'caddy') removeStaleSockets([settings.paths.caddyAdminSocket])
  const [program, ...args] = part.argv(false)
  const child = spawn(program, args, { cwd: part.cwd, env: part.env, stdio: 'inherit' })
  child.on('error', (error) => fail(`${part.title} cannot be started: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => child.kill(signal === 'SIGINT' ? 'SIGINT' : (part.stopSignal ?? 'SIGTERM')))
  }
}

function fail(text) {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}
