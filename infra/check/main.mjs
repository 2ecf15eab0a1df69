// `npm run check`: format, lint, boundaries, bans, types, and the same for Rust. Everything is reported, not only the first.
// `npm run check -- boundaries types` runs only those.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { generateClient } from '../start/builds.mjs'
import { completePath } from '../start/checks.mjs'
import { installDependencies } from '../start/dependencies.mjs'
import { createProgress } from '../start/progress.mjs'
import { run } from '../start/run.mjs'
import { ROOT } from '../start/settings.mjs'
import { checkBans, checkLength } from './bans.mjs'
import { checkCrates, checkImports, checkManifests } from './boundaries.mjs'
import { APPS, BANS, CRATES, LINE_LIMIT, PACKAGES } from './rules.mjs'
import { readSources } from './sources.mjs'

const AGENT = join(ROOT, 'apps/agent')
const DEADLINE_MS = 20 * 60_000
const SHOWN_LINES = 2_000
const tool = (name) => join(ROOT, 'node_modules/.bin', name)

/** @type {Record<string, { title: string, check: (step: import('../start/progress.mjs').Step) => Promise<unknown> }>} */
const CHECKS = {
  lint: {
    title: 'Format and lint',
    check: () =>
      run([tool('biome'), 'check', '--max-diagnostics=200', '--error-on-warnings', '.'], {
        cwd: ROOT,
        deadlineMs: DEADLINE_MS,
        shownLines: SHOWN_LINES,
        what: 'Biome',
      }),
  },
  boundaries: {
    title: 'Boundaries',
    check: async () => {
      const sources = await readSources()
      const rules = { packages: PACKAGES, apps: APPS }
      report([...checkImports(sources, rules), ...checkManifests(sources, rules), ...checkCrates(sources, CRATES)])
    },
  },
  bans: {
    title: 'Bans',
    check: async () => {
      const sources = await readSources()
      report([...checkBans(sources, BANS), ...checkLength(sources, LINE_LIMIT)])
    },
  },
  types: {
    title: 'Types',
    check: async (step) => {
      const failed = []
      for (const folder of projects()) {
        step.detail(folder)
        await run([tool('tsc'), '--noEmit', '--pretty', 'false', '-p', folder], {
          cwd: ROOT,
          deadlineMs: DEADLINE_MS,
          shownLines: SHOWN_LINES,
          what: `tsc in ${folder}`,
        }).catch((error) => failed.push(error.detail || error.message))
      }
      report(failed)
    },
  },
  rustfmt: {
    title: 'Rust format',
    check: () =>
      run(['cargo', 'fmt', '--all', '--check'], { cwd: AGENT, deadlineMs: DEADLINE_MS, shownLines: SHOWN_LINES, what: 'cargo fmt' }),
  },
  clippy: {
    title: 'Rust lint',
    check: (step) =>
      run(['cargo', 'clippy', '--locked', '--workspace', '--all-targets', '--', '-D', 'warnings'], {
        cwd: AGENT,
        deadlineMs: DEADLINE_MS,
        shownLines: SHOWN_LINES,
        onLine: step.detail,
        what: 'cargo clippy',
      }),
  },
}

completePath(process.env)
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !CHECKS[name])
if (unknown.length > 0) {
  process.stderr.write(`There is no check ${unknown.join(', ')}. There are: ${Object.keys(CHECKS).join(', ')}.\n`)
  process.exit(2)
}
const progress = createProgress()
const problems = []
await progress.step('Packages', installDependencies)
await generateClient(progress)
for (const [name, { title, check }] of Object.entries(CHECKS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  await progress.step(title, check).catch((error) => problems.push({ title, error }))
}
for (const { title, error } of problems) process.stderr.write(`\n${title}\n${[error.detail, error.message].filter(Boolean).join('\n')}\n`)
if (problems.length > 0)
  process.stderr.write(
    `\n${problems.length} of ${wanted.length || Object.keys(CHECKS).length} checks failed. Much of format and lint is fixed by: npx biome check --write\n`,
  )
process.exit(problems.length > 0 ? 1 : 0)

/** Folders with a tsconfig and something to check, packages first. */
function projects() {
  const below = ['packages', 'apps'].flatMap((group) => readdirSync(join(ROOT, group)).map((name) => `${group}/${name}`))
  return [...below.filter((folder) => existsSync(join(ROOT, folder, 'src'))), 'tests', 'infra'].filter((folder) =>
    existsSync(join(ROOT, folder, 'tsconfig.json')),
  )
}

function report(lines) {
  if (lines.length > 0) throw Object.assign(new Error(`${lines.length} found.`), { detail: lines.join('\n') })
}
