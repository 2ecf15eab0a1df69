import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AppError } from '@slipway/core'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GitContextSource, gitContext } from './git-context'

const never = new AbortController().signal
let server: TestGitServer
let scratch: string
let first: string
let second: string

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'slipway-git-context-'))
  server = await startGitServer()
  first = server.commit('lib', 'First', { 'src/a.txt': 'one', 'README.md': 'x' })
  const tree = server.worktree('lib')
  // What `#ref:folder` must never follow: out of the tree, at its end or on the way, and into git's own data.
  symlinkSync('/etc', join(tree, 'out'))
  symlinkSync('../../..', join(tree, 'src', 'up'))
  symlinkSync('src', join(tree, 'inside'))
  second = server.commit('lib', 'Second', { 'src/a.txt': 'two' })
  execFileSync('git', ['tag', 'v1', first], { cwd: tree })
  execFileSync('git', ['push', '--quiet', 'origin', 'v1'], { cwd: tree })
})
afterAll(async () => {
  await server.stop()
  rmSync(scratch, { recursive: true })
})

let count = 0
const get = (more: Partial<GitContextSource> = {}) => {
  const source = { kind: 'git' as const, url: `${server.url}/lib.git`, ref: '', subdir: '', checksum: null, keepGitDir: false, ...more }
  return gitContext(source, join(scratch, String(count++)), never, () => undefined)
}
const codeOf = (more: Partial<GitContextSource>) =>
  get(more).then(
    () => 'none',
    (error: AppError) => error.code,
  )
const text = (root: string) => readFileSync(join(root, 'src/a.txt'), 'utf8')

/** Path and content of every file beneath a folder. */
function fingerprint(root: string): string {
  const hash = createHash('sha256')
  const names = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const path of names.map((entry) => join(entry.parentPath, entry.name)).sort())
    hash.update(path.slice(root.length)).update(readFileSync(path))
  return hash.digest('hex')
}

describe('a Git repository as a context', () => {
  it('takes the head, a branch, a tag or a commit', async () => {
    expect(text(await get())).toBe('two')
    expect(text(await get({ ref: 'main' }))).toBe('two')
    expect(text(await get({ ref: 'v1' }))).toBe('one')
    expect(text(await get({ ref: 'refs/tags/v1' }))).toBe('one')
    const root = await get({ ref: first })
    expect(text(root)).toBe('one')
    expect(existsSync(join(root, '.git'))).toBe(false)
    expect(readFileSync(join(await get({ subdir: 'inside' }), 'a.txt'), 'utf8')).toBe('two')
  })

  it('keeps a .git that git can read, the same each time', async () => {
    const [one, two] = [await get({ keepGitDir: true, ref: 'v1' }), await get({ keepGitDir: true, ref: first })]
    const git = (...args: string[]) => execFileSync('git', ['-c', 'safe.directory=*', ...args], { cwd: one, encoding: 'utf8' }).trim()
    // Read before it is asked: status writes what it learns about the files.
    expect(fingerprint(one)).toBe(fingerprint(two))
    expect(git('rev-parse', 'HEAD')).toBe(first)
    expect(git('status', '--porcelain')).toBe('')
    expect(git('remote', 'get-url', 'origin')).toBe(`${server.url}/lib.git`)
  })

  it('holds a checksum to the commit', async () => {
    expect(text(await get({ checksum: second }))).toBe('two')
    expect(text(await get({ checksum: second.slice(0, 10) }))).toBe('two')
    expect(await codeOf({ checksum: first })).toBe('GIT_CHECKSUM_MISMATCH')
  })

  it.each([
    ['out', 'PATH_OUTSIDE_REPOSITORY'],
    ['src/up', 'PATH_OUTSIDE_REPOSITORY'],
    ['out/ssl', 'PATH_OUTSIDE_REPOSITORY'],
    ['src/up/git/hooks', 'PATH_OUTSIDE_REPOSITORY'],
    ['README.md', 'CONTEXT_NOT_FOUND'],
    ['absent', 'CONTEXT_NOT_FOUND'],
  ])('refuses the folder %s', async (subdir, code) => {
    const given = await codeOf({ subdir })
    expect(subdir.startsWith('src/up/') ? ['PATH_OUTSIDE_REPOSITORY', 'CONTEXT_NOT_FOUND'] : [code]).toContain(given)
  })

  it('says what is not there', async () => {
    expect(await codeOf({ ref: 'no-such-branch' })).toBe('GIT_REF_NOT_FOUND')
    expect(await codeOf({ ref: 'f'.repeat(40) })).toBe('GIT_REF_NOT_FOUND')
    expect(await codeOf({ url: `${server.url}/absent.git` })).toBe('GIT_REPOSITORY_NOT_FOUND')
  })
})
