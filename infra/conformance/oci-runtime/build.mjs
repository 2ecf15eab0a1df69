// Builds the validation programs of runtime-tools, once for each state of the pinned versions (go.mod, go.sum).
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { StartError } from '../../start/errors.mjs'
import { run } from '../../start/run.mjs'
import { goOf } from '../go.mjs'

const MODULE = 'github.com/opencontainers/runtime-tools'
const HERE = new URL('.', import.meta.url).pathname
const CACHE = new URL('../../../node_modules/.cache/oci-runtime/', import.meta.url).pathname
/** What runs inside of the containers. */
export const INSIDE = 'runtimetest'
/** Key of the file system's archive in what `buildValidation` returns. */
export const ROOTFS = 'rootfs'

/**
 * @param {import('../../start/progress.mjs').Step} step
 * @returns {Promise<{ directory: string, programs: string[], rootfs: string }>}
 */
export async function buildValidation(step) {
  const { go, env } = await goOf('1.23', step)
  const options = { cwd: HERE, env, deadlineMs: 20 * 60_000, onLine: step.detail, what: 'Building runtime-tools' }
  const pinned = ['go.mod', 'go.sum'].map((name) => readFileSync(join(HERE, name)))
  const directory = join(CACHE, createHash('sha256').update(Buffer.concat(pinned)).digest('hex').slice(0, 16))
  await run([go, 'mod', 'download'], options)
  const source = (await run([go, 'list', '-m', '-f', '{{.Dir}}', MODULE], options)).trim()
  if (!existsSync(directory)) await build(directory, go, options)
  const rootfs = join(source, `rootfs-${process.arch === 'x64' ? 'amd64' : process.arch}.tar.gz`)
  if (!existsSync(rootfs)) throw new StartError(`runtime-tools has no root file system for ${process.arch}.`)
  const programs = readdirSync(directory).filter((name) => name !== INSIDE)
  return { directory, programs: programs.sort(), [ROOTFS]: rootfs }
}

/** Whole or not at all. */
async function build(directory, go, options) {
  const unfinished = `${directory}.new`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { recursive: true })
  // The program inside has no C library of its own there.
  const env = { ...options.env, CGO_ENABLED: '0' }
  await run([go, 'build', '-o', `${unfinished}/`, `${MODULE}/validation/...`], { ...options, env })
  await run([go, 'build', '-o', `${unfinished}/`, `${MODULE}/cmd/${INSIDE}`], { ...options, env })
  renameSync(unfinished, directory)
}
