// Skips work whose inputs have not changed: a stamp beside the output holds the hash of everything that went in. It lies in
// the output's folder, so deleting the output deletes the stamp.
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const IGNORED = new Set(['node_modules', 'target', 'dist', '.next', '.turbo', '.git', 'generated', 'coverage', 'testdata'])
const IGNORED_FILES = /(\.test\.tsx?|\.test\.mjs|\.md|\.tsbuildinfo|next-env\.d\.ts)$/

/**
 * Hash over names and contents of files and folders (tests, documentation and outputs left out).
 * @param {string} root @param {string[]} inputs relative to root; a missing one counts as empty @param {string} [salt] e.g. a tool's version
 */
export function hashInputs(root, inputs, salt = '') {
  const hash = createHash('sha256').update(salt)
  const visit = (path) => {
    if (!existsSync(path)) return
    if (!lstatSync(path).isDirectory()) {
      hash.update(`${relative(root, path)}\0`).update(createHash('sha256').update(readFileSync(path)).digest())
      return
    }
    for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.isDirectory() ? IGNORED.has(entry.name) : IGNORED_FILES.test(entry.name)) continue
      if (entry.isDirectory() || entry.isFile()) visit(join(path, entry.name))
    }
  }
  for (const input of inputs) visit(join(root, input))
  return hash.digest('hex')
}

/**
 * Runs `work` unless `output` exists and was made from the same inputs.
 * @param {{ output: string, stamp: string, hash: string, work: () => Promise<unknown> }} options
 * @returns {Promise<string>} what was done, for the step's line
 */
export async function unlessUnchanged({ output, stamp, hash, work }) {
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return 'unchanged'
  await work()
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, hash)
  return 'built'
}
