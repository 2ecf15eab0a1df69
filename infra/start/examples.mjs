// The example applications as Git repositories in the data folder; the web app serves them, so that the first deployment needs
// no Git server. Each is one commit with a fixed date: the same files give the same commit on every machine.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run.mjs'
import { ROOT } from './settings.mjs'
import { hashInputs } from './stamps.mjs'

const EXAMPLES = ['hello', 'guestbook', 'broken']
const BRANCH = 'main'

/** @param {string} folder where the bare repositories go @returns {Promise<string>} what was done */
export async function ensureExamples(folder) {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const made = []
  for (const name of EXAMPLES) {
    const repository = join(folder, `${name}.git`)
    const stamp = join(repository, 'slipway-stamp')
    const hash = hashInputs(ROOT, [`examples/${name}`])
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) continue
    await makeRepository(repository, join(ROOT, 'examples', name), name)
    writeFileSync(stamp, hash)
    made.push(name)
  }
  return made.length > 0 ? made.join(', ') : 'unchanged'
}

async function makeRepository(repository, source, name) {
  const fresh = `${repository}.new`
  rmSync(fresh, { recursive: true, force: true })
  const who = { NAME: 'Slipway', EMAIL: 'slipway@localhost', DATE: '2025-01-01T00:00:00Z' }
  const env = {
    PATH: process.env.PATH,
    // Nobody's settings or hooks: the commit is ours alone.
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    ...Object.fromEntries(
      Object.entries(who).flatMap(([key, value]) => [`GIT_AUTHOR_${key}`, `GIT_COMMITTER_${key}`].map((variable) => [variable, value])),
    ),
  }
  const git = (...args) =>
    run(['git', ...args], { env, cwd: source, deadlineMs: 60_000, what: `Making the repository of examples/${name}` })
  const inside = [`--git-dir=${fresh}`, `--work-tree=${source}`, '-c', 'core.bare=false', '-c', 'commit.gpgsign=false']
  await git('init', '--quiet', '--bare', '--template=', `--initial-branch=${BRANCH}`, fresh)
  await git(...inside, 'add', '--all', '--', '.', ':!node_modules')
  await git(...inside, 'commit', '--quiet', '--message', `The ${name} example`)
  rmSync(join(fresh, 'index'), { force: true })
  await git(`--git-dir=${fresh}`, 'update-server-info') // what Git over plain HTTP reads
  rmSync(repository, { recursive: true, force: true })
  renameSync(fresh, repository)
}
