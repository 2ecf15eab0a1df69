// Builds the official suite of the OCI distribution specification, once for each state of the pinned versions (go.mod, go.sum).
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../start/run.mjs'
import { goOf } from '../go.mjs'

const SUITE = 'github.com/opencontainers/distribution-spec/conformance'
const HERE = new URL('.', import.meta.url).pathname
const CACHE = join(process.env.SLIPWAY_CACHE || '/var/cache/slipway', 'conformance')
const GO = '1.24'

/** @param {import('../../start/progress.mjs').Step} step @returns {Promise<string>} the program */
export async function buildSuite(step) {
  const pinned = ['go.mod', 'go.sum'].map((name) => readFileSync(join(HERE, name)))
  const program = join(CACHE, `distribution-${createHash('sha256').update(Buffer.concat(pinned)).digest('hex').slice(0, 16)}`)
  if (existsSync(program)) return program
  const { go, env } = await goOf(GO, step)
  mkdirSync(CACHE, { recursive: true })
  // Under a name of its own first: another run may build it at the same time.
  const unfinished = `${program}.${process.pid}`
  await run([go, 'build', '-trimpath', '-o', unfinished, SUITE], {
    cwd: HERE,
    env: { ...env, CGO_ENABLED: '0' },
    deadlineMs: 10 * 60_000,
    onLine: step.detail,
    what: 'Building the conformance suite of the OCI distribution specification',
    hint: 'Check that this machine reaches its Go module proxy (go env GOPROXY), then run this again.',
  })
  renameSync(unfinished, program)
  return program
}
