// Builds a Go program from a folder that pins its versions (go.mod, go.sum), once for each state of them.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../start/run.mjs'
import { goOf } from './go.mjs'

const CACHE = join(process.env.SLIPWAY_CACHE || '/var/cache/slipway', 'conformance')
const GO = '1.24'

/**
 * @param {{ name: string, folder: string, program: string, what: string, step: import('../start/progress.mjs').Step }} options
 * @returns {Promise<string>} the program
 */
export async function buildPinned({ name, folder, program, what, step }) {
  const pinned = ['go.mod', 'go.sum'].map((file) => readFileSync(join(folder, file)))
  const built = join(CACHE, `${name}-${createHash('sha256').update(Buffer.concat(pinned)).digest('hex').slice(0, 16)}`)
  if (existsSync(built)) return built
  const { go, env } = await goOf(GO, step)
  mkdirSync(CACHE, { recursive: true })
  // Under a name of its own first: another run may build it at the same time.
  const unfinished = `${built}.${process.pid}`
  await run([go, 'build', '-trimpath', '-o', unfinished, program], {
    cwd: folder,
    env: { ...env, CGO_ENABLED: '0' },
    deadlineMs: 10 * 60_000,
    onLine: step.detail,
    what,
    hint: 'Check that this machine reaches its Go module proxy (go env GOPROXY), then run this again.',
  })
  renameSync(unfinished, built)
  return built
}
