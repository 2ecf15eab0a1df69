import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AppError } from '@slipway/core'
import { Places } from '@slipway/outbound'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GitContextSource, type GitReach, gitContext } from './git-context'

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
const loopback = { inside: new Places(['127.0.0.1']) }
const get = (more: Partial<GitContextSource> = {}, reach: GitReach = loopback) => {
  const source = { kind: 'git' as const, url: `${server.url}/lib.git`, ref: '', subdir: '', checksum: null, keepGitDir: false, ...more }
  return gitContext(source, join(scratch, String(count++)), never, () => undefined, reach).then(({ root }) => root)
}
const codeOf = (more: Partial<GitContextSource>, reach?: GitReach) =>
  get(more, reach).then(
    () => 'none',
    (error: AppError) => error.code,
  )
const text = (root: string) => readFileSync(join(root, 'src/a.txt'), 'utf8')

/** A commit of a repository that has another one in a folder. */
function withSubmodule(on: TestGitServer, name: string, { path, url, commit }: { path: string; url: string; commit: string }): string {
  const tree = on.worktree(name)
  // Empty, as where nobody has fetched it; else `git add` would take the submodule out.
  mkdirSync(join(tree, path), { recursive: true })
  writeFileSync(join(tree, '.gitmodules'), `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n`)
  execFileSync('git', ['update-index', '--add', '--cacheinfo', `160000,${commit},${path}`], { cwd: tree })
  return on.commitAll(name, `With ${path}`)
}

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

  it('fetches submodules, and those in them, at the commits that the repository names', async () => {
    const inner = server.commit('inner', 'First', { 'deep.txt': 'deep' })
    server.commit('inner', 'Second', { 'deep.txt': 'too new' })
    const middle = withSubmodule(server, 'middle', { path: 'in/side', url: '../inner.git', commit: inner })
    withSubmodule(server, 'outer', { path: 'vendor/lib', url: `${server.url}/middle.git`, commit: middle })
    const root = await get({ url: `${server.url}/outer.git` })
    expect(readFileSync(join(root, 'vendor/lib/in/side/deep.txt'), 'utf8')).toBe('deep')
    expect(readdirSync(root, { recursive: true }).filter((name) => String(name).endsWith('.git'))).toEqual([])
    expect(readdirSync(join(await get({ url: `${server.url}/outer.git`, submodules: false }), 'vendor/lib'))).toEqual([])
    expect(readFileSync(join(await get({ url: `${server.url}/outer.git`, subdir: 'vendor/lib/in' }), 'side/deep.txt'), 'utf8')).toBe('deep')
  })

  it('keeps data of submodules where git has it, the same each time', async () => {
    const inner = server.commit('kept-inner', 'First', { 'deep.txt': 'deep' })
    const middle = withSubmodule(server, 'kept-middle', { path: 'in/side', url: '../kept-inner.git', commit: inner })
    const outer = withSubmodule(server, 'kept-outer', { path: 'vendor/lib', url: '../kept-middle.git', commit: middle })
    const kept = () => get({ url: `${server.url}/kept-outer.git`, keepGitDir: true })
    const [one, two] = [await kept(), await kept()]
    expect(fingerprint(one)).toBe(fingerprint(two))
    const git = (folder: string, ...args: string[]) =>
      execFileSync('git', ['-c', 'safe.directory=*', ...args], { cwd: join(one, folder), encoding: 'utf8' }).trim()
    expect(readFileSync(join(one, 'vendor/lib/.git'), 'utf8')).toBe('gitdir: ../../.git/modules/vendor/lib\n')
    expect(['', 'vendor/lib', 'vendor/lib/in/side'].map((folder) => git(folder, 'rev-parse', 'HEAD'))).toEqual([outer, middle, inner])
    expect(['', 'vendor/lib', 'vendor/lib/in/side'].map((folder) => git(folder, 'status', '--porcelain'))).toEqual(['', '', ''])
    expect(git('vendor/lib/in/side', 'rev-parse', '--show-toplevel')).toBe(join(one, 'vendor/lib/in/side'))
    expect(git('vendor/lib', 'remote', 'get-url', 'origin')).toBe(`${server.url}/kept-middle.git`)
    // A space before each: it is known, and at the commit that the repository names.
    const listed = execFileSync('git', ['-c', 'safe.directory=*', 'submodule', 'status', '--recursive'], { cwd: one, encoding: 'utf8' })
    expect(listed.trimEnd().split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^ ${middle} vendor/lib`)),
      expect.stringMatching(new RegExp(`^ ${inner} vendor/lib/in/side`)),
    ])
    const within = await get({ url: `${server.url}/kept-outer.git`, keepGitDir: true, subdir: 'vendor' })
    expect(readdirSync(within, { recursive: true }).filter((name) => String(name).endsWith('.git'))).toEqual([])
  })

  it('writes nothing of a repository into data of submodules, and refuses names that lead elsewhere', async () => {
    const marker = join(scratch, 'ran')
    const lib = server.commit('hostile-lib', 'First', { '.gitattributes': '* filter=evil\n', 'a.txt': 'a' })
    const hostile = (repository: string, modules: [name: string, path: string][]) => {
      const tree = server.worktree(repository)
      const evil = `\tupdate = !touch ${marker}\n\tfsmonitor = touch ${marker}\n[core]\n\tfsmonitor = touch ${marker}\n\tsshCommand = touch ${marker}\n[filter "evil"]\n\tsmudge = touch ${marker}\n`
      const text = modules.map(
        ([name, path]) => `[submodule ${JSON.stringify(name)}]\n\tpath = ${path}\n\turl = ../hostile-lib.git\n${evil}`,
      )
      writeFileSync(join(tree, '.gitmodules'), text.join(''))
      for (const [, path] of modules) {
        mkdirSync(join(tree, path), { recursive: true })
        execFileSync('git', ['update-index', '--add', '--cacheinfo', `160000,${lib},${path}`], { cwd: tree })
      }
      server.commitAll(repository, 'Hostile')
      return { url: `${server.url}/${repository}.git`, keepGitDir: true }
    }
    const root = await get(hostile('hostile-config', [['x', 'x']]))
    const configs = [join(root, '.git'), join(root, '.git/modules/x')].map((dir) => readFileSync(join(dir, 'config'), 'utf8'))
    expect(configs.join('')).not.toMatch(/touch|filter|fsmonitor|sshCommand|update/i)
    expect([join(root, '.git'), join(root, '.git/modules/x')].filter((dir) => existsSync(join(dir, 'hooks')))).toEqual([])
    execFileSync('git', ['-c', 'safe.directory=*', 'status'], { cwd: join(root, 'x') })
    expect(existsSync(marker)).toBe(false)
    for (const [index, names] of [['../../../out'], ['/etc/x'], ['a', 'a/hooks'], ['b/hooks', 'b']].entries()) {
      const modules = names.map((name, i): [string, string] => [name, `m${i}`])
      expect(await codeOf(hostile(`hostile-${index}`, modules)), names.join()).toBe('GIT_SUBMODULES')
    }
    expect(existsSync(join(scratch, 'out'))).toBe(false)
  })

  it.each([
    ['one that is nowhere', '../none.git', 'GIT_REPOSITORY_NOT_FOUND'],
    ['one inside the network', 'http://127.0.0.2/x.git', 'GIT_INSIDE'],
    ['one where clouds keep secrets', 'http://169.254.169.254/x.git', 'GIT_INSIDE'],
    ['a file of this machine', '/etc', 'GIT_ADDRESS_INVALID'],
    ['a program', 'ext::sh -c touch% /tmp/x', 'GIT_ADDRESS_INVALID'],
    ['an option', '--upload-pack=touch', 'GIT_ADDRESS_INVALID'],
  ])('ends for a submodule that is %s', async (what, url, code) => {
    const name = `bad-${what.replaceAll(' ', '-')}`
    withSubmodule(server, name, { path: 'lib', url, commit: first })
    expect(await codeOf({ url: `${server.url}/${name}.git` })).toBe(code)
  })

  it('ends for a repository that is a submodule of itself', async () => {
    let commit = first
    for (let turn = 0; turn < 8; turn++) commit = withSubmodule(server, 'round', { path: 'again', url: '../round.git', commit })
    expect(await codeOf({ url: `${server.url}/round.git` })).toBe('GIT_SUBMODULES')
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

describe('which servers a Dockerfile may name', () => {
  const nothing = { inside: new Places([]) }
  const at = (host: string) => `http://${host}:${new URL(server.url).port}/lib.git`

  it.each(['127.0.0.1', 'localhost', 'LOCALHOST.', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', '127.1', '0.0.0.0'])(
    'refuses %s unless the settings allow it',
    async (host) => {
      expect(await codeOf({ url: at(host) }, nothing)).toBe('GIT_INSIDE')
      // A cloud's secrets are never to be had.
      expect(await codeOf({ url: at('169.254.169.254') }, { inside: new Places(['0.0.0.0/0']) })).toBe('GIT_INSIDE')
    },
  )

  it('takes what the settings allow, by name and by network', async () => {
    expect(text(await get({ url: at('127.0.0.1') }, { inside: new Places(['127.0.0.0/8']) }))).toBe('two')
    expect(text(await get({ url: at('localhost.') }, { inside: new Places(['localhost']) }))).toBe('two')
  })

  it('connects to the address that was checked, whatever the name says the next time', async () => {
    const asked: string[] = []
    const answering = (...addresses: string[]): GitReach => ({
      inside: new Places(['127.0.0.1', '127.0.0.2']),
      lookup: async (host) => {
        asked.push(host)
        return addresses
      },
    })
    // No resolver but ours knows this name: git takes the address, and never the one among them that is not allowed.
    expect(text(await get({ url: at('rebind.invalid') }, answering('10.0.0.1', '127.0.0.1')))).toBe('two')
    // To git's own resolver this is where the server listens, at the checked address nobody does.
    expect(await codeOf({ url: at('localhost') }, answering('127.0.0.2'))).toBe('GIT_UNREACHABLE')
    expect(await codeOf({ url: at('rebind.invalid') }, answering('10.0.0.1', '::1'))).toBe('GIT_INSIDE')
    expect(await codeOf({ url: at('rebind.invalid') }, answering())).toBe('GIT_HOST_UNKNOWN')
    expect(asked).toEqual(['rebind.invalid', 'localhost', 'rebind.invalid', 'rebind.invalid'])
  })

  it('follows no redirect', async () => {
    const paths: string[] = []
    const moved = createServer((request, response) => {
      paths.push(request.url ?? '')
      response.writeHead(302, { location: `${server.url}${request.url}` }).end()
    })
    await new Promise<void>((resolve) => moved.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(moved.address() as AddressInfo).port}/lib.git`
    expect(await codeOf({ url })).toBe('GIT_REDIRECTED')
    expect(paths).toEqual(['/lib.git/info/refs?service=git-upload-pack'])
    await new Promise((resolve) => moved.close(resolve))
  })

  it('speaks http and https only', async () => {
    for (const url of [`file://${server.worktree('lib')}`, 'ext::sh -c id', 'git://127.0.0.1/lib.git'])
      expect(await codeOf({ url })).toBe('GIT_ADDRESS_INVALID')
  })
})
