import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface CommitOptions {
  branch?: string
  /** A whole name instead of the branch's, as the head of a pull request: `refs/pull/12/head`. */
  ref?: string
}

export interface TestGitServer {
  /** `http://127.0.0.1:<port>`; a repository is at `${url}/<name>.git`. */
  url: string
  /** Makes (or goes on with) a repository and commits these files; a null value removes one. Resolves to the commit's id. */
  commit(repository: string, message: string, files: Record<string, string | null>, options?: CommitOptions): string
  /** The work tree of a repository, for what `commit` cannot express (symlinks, modes). Follow with `commitAll`. */
  worktree(repository: string): string
  commitAll(repository: string, message: string, options?: CommitOptions): string
  stop(): Promise<void>
}

/**
 * The real `git http-backend` behind a small server on loopback. With `token`, every request needs Basic credentials
 * whose password it is, as GitHub and GitLab ask for.
 */
export async function startGitServer({ token }: { token?: string } = {}): Promise<TestGitServer> {
  const root = mkdtempSync(join(tmpdir(), 'slipway-git-'))
  const bare = join(root, 'bare')
  const trees = join(root, 'trees')
  mkdirSync(bare)
  mkdirSync(trees)
  const backend = join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-http-backend')
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: root, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' }
  const git = (cwd: string, ...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'commit.gpgsign=false', ...args], {
      cwd,
      env,
      encoding: 'utf8',
    }).trim()

  const server = createServer((request, response) => {
    if (token && basicPassword(request) !== token) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end('no')
      return
    }
    cgi(backend, bare, env, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const worktree = (repository: string) => {
    const tree = join(trees, repository)
    const remote = join(bare, `${repository}.git`)
    try {
      git(remote, 'rev-parse', '--git-dir')
    } catch {
      mkdirSync(remote, { recursive: true })
      git(remote, 'init', '--quiet', '--bare', '--initial-branch=main')
      mkdirSync(tree, { recursive: true })
      git(tree, 'init', '--quiet', '--initial-branch=main')
      git(tree, 'remote', 'add', 'origin', remote)
    }
    return tree
  }
  const commitAll: TestGitServer['commitAll'] = (repository, message, { branch = 'main', ref = `refs/heads/${branch}` } = {}) => {
    const tree = worktree(repository)
    git(tree, 'add', '--all')
    git(tree, 'commit', '--quiet', '--allow-empty', '--message', message)
    git(tree, 'push', '--quiet', '--force', 'origin', `HEAD:${ref}`)
    return git(tree, 'rev-parse', 'HEAD')
  }
  return {
    url,
    worktree,
    commitAll,
    commit(repository, message, files, options) {
      const tree = worktree(repository)
      for (const [path, content] of Object.entries(files)) {
        const file = join(tree, path)
        if (content === null) rmSync(file, { recursive: true, force: true })
        else {
          mkdirSync(dirname(file), { recursive: true })
          writeFileSync(file, content)
        }
      }
      return commitAll(repository, message, options)
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(root, { recursive: true, force: true })
    },
  }
}

function basicPassword(request: IncomingMessage): string | undefined {
  const [scheme, value = ''] = (request.headers.authorization ?? '').split(' ')
  if (scheme?.toLowerCase() !== 'basic') return undefined
  return Buffer.from(value, 'base64').toString().split(':').slice(1).join(':')
}

/** CGI/1.1 as git-http-backend speaks it: headers, an empty line, the body. */
function cgi(program: string, root: string, env: Record<string, string>, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const child = spawn(program, [], {
    env: {
      ...env,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GATEWAY_INTERFACE: 'CGI/1.1',
      REQUEST_METHOD: request.method ?? 'GET',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      HTTP_GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  request.pipe(child.stdin)
  child.stdin.on('error', () => request.unpipe())
  let head: Buffer | null = Buffer.alloc(0)
  child.stdout.on('data', (chunk: Buffer) => {
    if (head === null) return void response.write(chunk)
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    let status = 200
    for (const line of head.subarray(0, end).toString().split('\r\n')) {
      const [name = '', ...value] = line.split(': ')
      if (name.toLowerCase() === 'status') status = Number.parseInt(value.join(': '), 10)
      else response.setHeader(name, value.join(': '))
    }
    response.writeHead(status)
    response.write(head.subarray(end + 4))
    head = null
  })
  child.on('close', () => response.end())
}
