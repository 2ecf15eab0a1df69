// Everything that is made from sources: Prisma's client, the agent, the bundled services and the web app.
import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { endRuns, run } from './run.mjs'
import { ROOT } from './settings.mjs'
import { hashInputs, unlessUnchanged } from './stamps.mjs'

export const AGENT_BINARY = join(ROOT, 'apps/agent/target/release/slipway-agent')
export const WEB_SERVER = join(ROOT, 'apps/web/.next/standalone/apps/web/server.js')
export const serviceEntry = (/** @type {'worker' | 'registry' | 'cli'} */ app) => join(ROOT, `apps/${app}/dist/main.js`)

/** The schema engine comes from the packages, not from a download: see infra/prisma-engine. */
export const PRISMA_ENVIRONMENT = {
  PRISMA_SCHEMA_ENGINE_BINARY: join(ROOT, 'infra/prisma-engine/schema-engine.mjs'),
  PRISMA_HIDE_UPDATE_MESSAGE: '1',
  CHECKPOINT_DISABLE: '1',
}

// What every bundle contains or is made by.
const SHARED = ['packages', 'prisma/schema', 'package-lock.json']

/** @param {import('./progress.mjs').Progress} progress */
export async function buildAll(progress) {
  await generateClient(progress)
  const agent = progress.step('Agent', buildAgent)
  const services = async () => {
    for (const app of /** @type {const} */ (['registry', 'worker', 'cli']))
      await progress.step(title(app), (step) => buildService(app, step))
    await progress.step('Web app', buildWeb)
  }
  const both = [agent, services()]
  try {
    await Promise.all(both)
  } catch (error) {
    await endRuns() // no compiler keeps running behind an error message
    await Promise.allSettled(both)
    throw error
  }
}

/** @param {import('./progress.mjs').Progress} progress */
export function generateClient(progress) {
  const output = join(ROOT, 'packages/db/src/generated')
  return progress.step('Database client', () =>
    unlessUnchanged({
      output: join(output, 'client.ts'),
      stamp: join(output, '.slipway-stamp'),
      hash: hashInputs(ROOT, ['prisma/schema', 'prisma.config.ts', 'node_modules/prisma/package.json']),
      work: () =>
        run([process.execPath, join(ROOT, 'node_modules/prisma/build/index.js'), 'generate'], {
          cwd: ROOT,
          env: { ...process.env, ...PRISMA_ENVIRONMENT },
          deadlineMs: 2 * 60_000,
          what: 'prisma generate',
        }),
    }),
  )
}

/** @param {import('./progress.mjs').Step} step */
export function buildAgent(step) {
  const folder = join(ROOT, 'apps/agent')
  return unlessUnchanged({
    output: AGENT_BINARY,
    stamp: join(folder, 'target/release/.slipway-stamp'),
    hash: hashInputs(ROOT, ['apps/agent']),
    work: () =>
      run(['cargo', 'build', '--release', '--locked'], {
        cwd: folder,
        env: { ...process.env, CARGO_TARGET_DIR: join(folder, 'target'), CARGO_TERM_COLOR: 'never' },
        deadlineMs: 45 * 60_000,
        onLine: (line) => /^\s*(Compiling|Downloading|Downloaded|Finished) /.test(line) && step.detail(line),
        what: 'Building the agent',
        hint: 'If cargo could not fetch its crates, check this machine’s network and run npm start again.',
      }),
  })
}

/** @param {'worker' | 'registry' | 'cli'} app @param {import('./progress.mjs').Step} step */
export function buildService(app, step) {
  // The command line client knows the API's types, so what it is made of includes the packages as well.
  return unlessUnchanged({
    output: serviceEntry(app),
    stamp: join(ROOT, `apps/${app}/dist/.slipway-stamp`),
    hash: hashInputs(ROOT, [`apps/${app}`, ...SHARED]),
    work: () => npmBuild(`apps/${app}`, step),
  })
}

/** @param {import('./progress.mjs').Step} step */
export function buildWeb(step) {
  const folder = join(ROOT, 'apps/web')
  return unlessUnchanged({
    output: WEB_SERVER,
    stamp: join(folder, '.next/standalone/.slipway-stamp'),
    hash: hashInputs(ROOT, ['apps/web', ...SHARED], process.version),
    work: async () => {
      await npmBuild('apps/web', step)
      // Next leaves these two out of the standalone folder, for those who serve them from elsewhere.
      for (const [from, to] of [
        ['.next/static', '.next/standalone/apps/web/.next/static'],
        ['public', '.next/standalone/apps/web/public'],
      ]) {
        if (!existsSync(join(folder, from))) continue
        rmSync(join(folder, to), { recursive: true, force: true })
        cpSync(join(folder, from), join(folder, to), { recursive: true })
      }
    },
  })
}

const npmBuild = (workspace, step) =>
  run(['npm', 'run', 'build', '--workspace', workspace], {
    cwd: ROOT,
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
    deadlineMs: 15 * 60_000,
    onLine: step.detail,
    what: `Building ${workspace}`,
  })

const title = (app) => ({ registry: 'Registry', worker: 'Worker', cli: 'Command line client' })[app]
