import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../start/run.mjs'
import { ROOT } from '../start/settings.mjs'

/** @typedef {{ path: string, text: string }} Source path relative to the root */

const GENERATED = /(^|\/)(package-lock\.json|Cargo\.lock|testdata\/.*|migrations\/.*|next-env\.d\.ts)$/
const WRITTEN = /\.(ts|tsx|mjs|js|rs|css|prisma|sql|json|md)$/

/** Hand-written files, tracked or new; ignored ones are left out. @returns {Promise<Source[]>} */
export async function readSources() {
  const listed = await run(['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: ROOT,
    deadlineMs: 30_000,
    what: 'Listing the files',
  })
  const sources = []
  for (const path of new Set(listed.split('\0'))) {
    if (!path || GENERATED.test(path) || !WRITTEN.test(path)) continue
    try {
      sources.push({ path, text: readFileSync(join(ROOT, path), 'utf8') })
    } catch (error) {
      if (error.code !== 'ENOENT') throw error // deleted but not committed yet
    }
  }
  return sources
}

export const isTest = (/** @type {string} */ path) => /\.test\.(ts|tsx|mjs)$|\/(tests?|testing|testdata)\/|\.suite\.ts$/.test(path)
