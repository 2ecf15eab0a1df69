import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beneath, readTextBeneath } from '@slipway/context'
import type { AppError } from '@slipway/core'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { checkout } from './checkout'

const never = new AbortController().signal
const quiet = () => undefined
let open: TestGitServer
let closed: TestGitServer
let scratch: string
const at = (name: string) => join(scratch, name)
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error: AppError) => error.code,
  )

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'slipway-checkout-'))
  open = await startGitServer()
  closed = await startGitServer({ token: 'sesame' })
})
afterAll(async () => {
  await open.stop()
  await closed.stop()
  rmSync(scratch, { recursive: true })
})

describe('checkout', () => {
  it('takes the newest commit of the branch, without the repository’s own data in the tree', async () => {
    open.commit('app', 'First', { 'index.html': 'one' })
    const sha = open.commit('app', 'Second — “quoted”', { 'index.html': 'two' })
    const tree = await checkout({ url: `${open.url}/app.git`, branch: 'main', token: null, sha: null }, at('a'), never, quiet)
    expect(tree.commit).toMatchObject({ sha, message: 'Second — “quoted”', author: 'Ada' })
    expect(readFileSync(join(tree.directory, 'index.html'), 'utf8')).toBe('two')
    expect(existsSync(join(tree.directory, '.git'))).toBe(false)
  })

  it('sends a token to a private repository, and says when one is needed', async () => {
    closed.commit('secret', 'First', { a: '1' })
    const url = `${closed.url}/secret.git`
    expect(await codeOf(checkout({ url, branch: 'main', token: null, sha: null }, at('b'), never, quiet))).toBe('GIT_AUTH_REQUIRED')
    expect(await codeOf(checkout({ url, branch: 'main', token: 'wrong', sha: null }, at('b'), never, quiet))).toBe('GIT_AUTH_REQUIRED')
    const tree = await checkout({ url, branch: 'main', token: 'sesame', sha: null }, at('b'), never, quiet)
    expect(readFileSync(join(tree.directory, 'a'), 'utf8')).toBe('1')
    expect(readFileSync(join(at('b'), 'git', 'config'), 'utf8')).not.toContain('sesame')
  })

  it.each([
    ['http://no-such-host.invalid/x.git', 'main', 'GIT_HOST_UNKNOWN'],
    ['http://127.0.0.1:1/x.git', 'main', 'GIT_UNREACHABLE'],
    ['OPEN/absent.git', 'main', 'GIT_REPOSITORY_NOT_FOUND'],
    ['OPEN/app.git', 'no-such-branch', 'GIT_BRANCH_NOT_FOUND'],
    ['file:///etc', 'main', 'GIT_ADDRESS_INVALID'],
  ])('says what is wrong with %s %s', async (url, branch, code) => {
    expect(await codeOf(checkout({ url: url.replace('OPEN', open.url), branch, token: null, sha: null }, at('c'), never, quiet))).toBe(code)
  })

  it('takes the pushed commit even when another was pushed since, and the newest when it is gone', async () => {
    const first = open.commit('pair', 'First', { a: '1' })
    const second = open.commit('pair', 'Second', { a: '2' })
    const from = (sha: string) => checkout({ url: `${open.url}/pair.git`, branch: 'main', token: null, sha }, at('e'), never, quiet)
    expect((await from(first)).commit).toMatchObject({ sha: first, message: 'First' })
    expect((await from('f'.repeat(40))).commit.sha).toBe(second)
  })

  describe('of a pull request', () => {
    const ref = 'refs/pull/12/head'
    const of = (server: TestGitServer, sha: string | null, more: { fromFork?: boolean; token?: string; ref?: string } = {}) => ({
      url: `${server.url}/pulls.git`,
      branch: 'main',
      token: more.token ?? null,
      sha,
      pullRequest: { ref: more.ref ?? ref, fromFork: more.fromFork ?? true },
    })

    it('takes the announced commit, also when another came since; never one that was not announced', async () => {
      open.commit('pulls', 'Base', { 'index.html': 'base' })
      const announced = open.commit('pulls', 'Blue', { 'index.html': 'blue' }, { ref })
      expect((await checkout(of(open, announced), at('pr1'), never, quiet)).commit).toMatchObject({ sha: announced, message: 'Blue' })
      open.commit('pulls', 'Red', { 'index.html': 'red' }, { ref })
      const lines: string[] = []
      const tree = await checkout(of(open, announced), at('pr1'), never, (line) => lines.push(line))
      expect(readFileSync(join(tree.directory, 'index.html'), 'utf8')).toBe('blue')
      expect(lines.join('\n')).toMatch(/is at [0-9a-f]{7} by now; building [0-9a-f]{7}, as announced/)
      expect(await codeOf(checkout(of(open, 'b'.repeat(40)), at('pr1'), never, quiet))).toBe('PULL_REQUEST_MOVED_ON')
      expect(await codeOf(checkout(of(open, announced, { ref: 'refs/pull/13/head' }), at('pr1'), never, quiet))).toBe(
        'PULL_REQUEST_NOT_FOUND',
      )
    })

    it('from a fork reads submodules without the token, so that it reaches no other private repository', async () => {
      const module = closed.commit('private', 'First', { 'secret.txt': 'hush' })
      const folder = closed.worktree('pulls')
      writeFileSync(join(folder, '.gitmodules'), '[submodule "private"]\n\tpath = private\n\turl = ../private.git\n')
      writeFileSync(join(folder, 'index.html'), 'x')
      mkdirSync(join(folder, 'private'))
      execFileSync('git', ['update-index', '--add', '--cacheinfo', `160000,${module},private`], { cwd: folder })
      const sha = closed.commitAll('pulls', 'Take it along', { ref })
      const lines: string[] = []
      const fork = await checkout(of(closed, sha, { token: 'sesame' }), at('pr2'), never, (line) => lines.push(line))
      expect(existsSync(join(fork.directory, 'index.html'))).toBe(true)
      expect(existsSync(join(fork.directory, 'private/secret.txt'))).toBe(false)
      expect(lines.join('\n')).toMatch(/The submodule private cannot be fetched: .*private/)
      const branch = await checkout(of(closed, sha, { token: 'sesame', fromFork: false }), at('pr2'), never, quiet)
      expect(readFileSync(join(branch.directory, 'private/secret.txt'), 'utf8')).toBe('hush')
    })
  })

  it('fetches submodules from its own server with its token, and tells of one that cannot be had', async () => {
    const lib = closed.commit('lib', 'First', { 'lib.txt': 'private' })
    const tree = closed.worktree('modules')
    const entries = [
      ['vendor/lib', '../lib.git'],
      ['vendor/gone', '../gone.git'],
      // Another server inside the network: the repository's word does not open it.
      ['vendor/other', `${open.url}/app.git`],
    ] as const
    for (const [path] of entries) {
      mkdirSync(join(tree, path), { recursive: true })
      execFileSync('git', ['update-index', '--add', '--cacheinfo', `160000,${lib},${path}`], { cwd: tree })
    }
    const modules = entries.map(([path, url]) => `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n`)
    writeFileSync(join(tree, '.gitmodules'), modules.join(''))
    closed.commitAll('modules', 'First')
    const said: string[] = []
    const source = { url: `${closed.url}/modules.git`, branch: 'main', token: 'sesame', sha: null }
    const { directory } = await checkout(source, at('s'), never, (line) => said.push(line))
    expect(readFileSync(join(directory, 'vendor/lib/lib.txt'), 'utf8')).toBe('private')
    expect(readdirSync(join(directory, 'vendor/gone'))).toEqual([])
    const warnings = said.filter((line) => line.startsWith('warning: '))
    expect(warnings).toEqual([
      expect.stringMatching(/vendor\/gone cannot be fetched: .*no Git repository.* Its folder is empty\./),
      expect.stringMatching(/vendor\/other cannot be fetched: .*inside this network/),
    ])
    expect(warnings.join()).not.toContain('sesame')
  })

  it('says so when git cannot read .gitmodules', async () => {
    const said: string[] = []
    open.commit('unread', 'First', { '.gitmodules': '[submodule\n' })
    await checkout({ url: `${open.url}/unread.git`, branch: 'main', token: null, sha: null }, at('u'), never, (line) => said.push(line))
    expect(said).toEqual([expect.stringContaining('cannot read .gitmodules')])
  })

  it('ends at once when it is canceled', async () => {
    await expect(
      checkout({ url: `${open.url}/app.git`, branch: 'main', token: null, sha: null }, at('d'), AbortSignal.abort('stop'), quiet),
    ).rejects.toBeDefined()
  })

  it('asks nothing where clouds keep their secrets', async () => {
    const from = (url: string) => checkout({ url, branch: 'main', token: 'secret', sha: null }, at('m'), never, quiet)
    for (const url of [
      'http://169.254.169.254/latest/meta-data',
      'http://[::ffff:a9fe:a9fe]/x.git',
      'http://2852039166/x.git',
      'http://[fe80::1]/x.git',
    ])
      expect(await codeOf(from(url)), url).toBe('GIT_INSIDE')
    expect(await codeOf(from('file:///etc'))).toBe('GIT_ADDRESS_INVALID')
  })
})

describe('a server that leads elsewhere', () => {
  const redirecting = async (to: (path: string) => string) => {
    const asked: (string | undefined)[] = []
    const server = createServer((request, response) => {
      asked.push(request.headers.authorization)
      response.writeHead(301, { location: to(request.url ?? '') }).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
  }
  const from = (url: string, token: string | null = null) => checkout({ url, branch: 'main', token, sha: null }, at('r'), never, quiet)

  it('is followed to another Git server, and takes no token there', async () => {
    open.commit('moved', 'Moved', { a: '1' })
    const { url, asked } = await redirecting((path) => `${open.url}${path.replace('/old', '/moved')}`)
    expect((await from(`${url}/old.git`)).commit.message).toBe('Moved')
    closed.commit('secret', 'First', { a: '1' })
    const other = await redirecting((path) => `${closed.url}${path}`)
    expect(await codeOf(from(`${other.url}/secret.git`, 'sesame'))).toBe('GIT_AUTH_REQUIRED')
    expect([asked.every((value) => value === undefined), other.asked.every((value) => value !== undefined)]).toEqual([true, true])
  })

  it.each([
    ['metadata', () => 'http://169.254.169.254/latest/meta-data', 'GIT_INSIDE'],
    ['metadata by another road', () => 'http://[::ffff:a9fe:a9fe]/x.git/info/refs?service=git-upload-pack', 'GIT_INSIDE'],
    ['a file', () => 'file:///etc/passwd', 'GIT_REDIRECTED'],
    ['itself', (path: string) => path, 'GIT_REDIRECTED'],
    ['a page', () => 'PAGE', 'GIT_REDIRECTED'],
  ])('is not followed to %s', async (_what, to, code) => {
    const page = createServer((_request, response) => response.end('hello'))
    await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void page.close())
    const { url } = await redirecting((path) => to(path).replace('PAGE', `http://127.0.0.1:${(page.address() as AddressInfo).port}/`))
    expect(await codeOf(from(`${url}/x.git`))).toBe(code)
  })
})

describe('files of the context', () => {
  it('reads nothing outside of the folder', async () => {
    const root = at('ctx')
    mkdirSync(join(root, 'src'), { recursive: true })
    writeFileSync(join(root, 'src', 'a.txt'), 'a')
    writeFileSync(join(scratch, 'outside'), 'secret')
    symlinkSync('/etc/passwd', join(root, 'passwd'))
    symlinkSync('..', join(root, 'up'))
    symlinkSync('../outside', join(root, 'Dockerfile'))
    expect(await codeOf(readTextBeneath(root, 'Dockerfile', 100, 'Dockerfile'))).toBe('PATH_OUTSIDE_REPOSITORY')
    expect(await codeOf(beneath(root, 'up', 'context'))).toBe('PATH_OUTSIDE_REPOSITORY')
    expect(await codeOf(readTextBeneath(root, 'absent', 100, 'Dockerfile'))).toBe('DOCKERFILE_NOT_FOUND')
    expect(await codeOf(readTextBeneath(root, 'src', 100, 'Dockerfile'))).toBe('NOT_A_FILE')
    expect(await codeOf(readTextBeneath(root, 'src/a.txt', 0, 'Dockerfile'))).toBe('FILE_TOO_LARGE')
  })
})
