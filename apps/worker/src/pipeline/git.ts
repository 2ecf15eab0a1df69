import { spawn } from 'node:child_process'
import { AppError } from '@slipway/core'

/** Longest that one git command may take: a clone of a large repository over a slow line. */
const DEADLINE_MS = 5 * 60_000
/** What is kept of git's output: errors are at its end. */
const OUTPUT_LIMIT = 64 * 1024

export interface GitOptions {
  cwd: string
  signal: AbortSignal
  /** Sent as Basic credentials to `url`'s own origin only; travels in the environment, never in argv, files or the address. */
  credentials?: { url: string; token: string }
  /** OpenSSH's configuration, for addresses over SSH. */
  ssh?: { config: string }
  /** The server's name means these addresses and no others. */
  only?: { resolve: string | null }
  onProgress?: (line: string) => void
}

/** Runs git with nothing of this machine's or the repository's configuration that could run code; resolves to its stdout. */
export async function git(args: string[], options: GitOptions): Promise<string> {
  const config: [string, string][] = [
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['core.symlinks', 'true'],
    // Where an answer leads is for `git-redirect.ts` to check.
    ['http.followRedirects', 'false'],
    ['http.lowSpeedLimit', '100'],
    ['http.lowSpeedTime', '30'],
    ['submodule.recurse', 'false'],
    ['gc.auto', '0'],
    ['advice.detachedHead', 'false'],
  ]
  if (options.credentials) {
    const basic = Buffer.from(`x-access-token:${options.credentials.token}`).toString('base64')
    config.push([`http.${new URL(options.credentials.url).origin}/.extraHeader`, `Authorization: Basic ${basic}`])
  }
  if (options.only?.resolve) config.push(['http.curloptResolve', options.only.resolve])
  const env: NodeJS.ProcessEnv = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: options.cwd,
    LANG: 'C',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/true',
    GIT_ALLOW_PROTOCOL: options.ssh ? 'ssh' : 'http:https',
    // git hands this to a shell, so it is a fixed text; what differs comes in a variable.
    ...(options.ssh && {
      GIT_SSH_COMMAND: 'exec ssh -F "$SLIPWAY_SSH_CONFIG"',
      GIT_SSH_VARIANT: 'ssh',
      SLIPWAY_SSH_CONFIG: options.ssh.config,
    }),
    GIT_CONFIG_COUNT: String(config.length),
    NODE_ENV: 'production',
  }
  config.forEach(([key, value], i) => {
    env[`GIT_CONFIG_KEY_${i}`] = key
    env[`GIT_CONFIG_VALUE_${i}`] = value
  })

  return new Promise((resolve, reject) => {
    const child = spawn('git', args, { cwd: options.cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let stdout = ''
    let stderr = ''
    // git starts helpers (git-remote-https); the whole group must end with it.
    const kill = () => {
      if (child.pid === undefined || child.exitCode !== null) return
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        child.kill('SIGKILL')
      }
    }
    const timer = setTimeout(kill, DEADLINE_MS)
    options.signal.addEventListener('abort', kill, { once: true })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-OUTPUT_LIMIT)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-OUTPUT_LIMIT)
      for (const line of text.split(/[\r\n]+/)) if (line.trim()) options.onProgress?.(line.trim())
    })
    const settle = (end: () => void) => {
      clearTimeout(timer)
      options.signal.removeEventListener('abort', kill)
      end()
    }
    child.once('error', (cause) =>
      settle(() =>
        reject(
          new AppError({
            kind: 'internal',
            code: 'GIT_MISSING',
            message: 'git is not installed on this host. Run npm start again to install it.',
            cause,
          }),
        ),
      ),
    )
    child.once('close', (code) =>
      settle(() => {
        if (options.signal.aborted) reject(options.signal.reason)
        else if (code === 0) resolve(stdout)
        else reject(gitError(stderr, code))
      }),
    )
  })
}

/** git's own words as our code and sentence. */
function gitError(stderr: string, code: number | null): AppError {
  const cause = new Error(`git ended with ${code ?? 'a signal'}: ${stderr.slice(-2000)}`)
  const is = (pattern: RegExp) => pattern.test(stderr)
  const make = (errorCode: string, message: string) => new AppError({ kind: 'bad-input', code: errorCode, message, cause })
  if (is(/host key verification failed|host identification has changed/i))
    return make(
      'GIT_HOST_KEY_CHANGED',
      'The Git server answered with another SSH host key than the first time. If its owner changed it, remove the known one in the organization’s settings; otherwise somebody may be listening in.',
    )
  if (is(/permission denied \(|too many authentication failures/i))
    return make(
      'GIT_KEY_REFUSED',
      'The Git server does not accept the deploy key. Add its public half, which the app’s settings show, to the repository with read access.',
    )
  if (is(/could not resolve host/i))
    return make('GIT_HOST_UNKNOWN', `The Git server's name cannot be resolved${host(stderr)}. Check the repository's address.`)
  if (is(/error: 30[12378]/))
    return make('GIT_REDIRECTED', 'The Git server says that this repository is at another address. Write that address instead.')
  if (is(/couldn't find remote ref|remote branch .* not found/i))
    return make('GIT_BRANCH_NOT_FOUND', 'The repository has no such branch. Check its name.')
  if (is(/authentication failed|could not read (username|password)|error: 40[13]|terminal prompts disabled|invalid credentials/i))
    return make('GIT_AUTH_REQUIRED', 'The repository is private or the access token is not accepted. Set a token with read access.')
  if (is(/repository .*not found|error: 404|not valid: is this a git repository|does not appear to be a git repository/i))
    return make(
      'GIT_REPOSITORY_NOT_FOUND',
      'There is no Git repository at this address, or it is private. Check the address, or set an access token.',
    )
  if (is(/ssl|tls|certificate/i))
    return make('GIT_TLS_FAILED', "The Git server's certificate was not accepted. Use a certificate that this host trusts.")
  if (is(/connection refused|failed to connect|timed out|timeout|too slow|unable to access|operation too slow/i) || code === null)
    return make('GIT_UNREACHABLE', 'The Git server did not answer. Check the address and that it can be reached from this host.')
  return make('GIT_FAILED', `git could not read the repository: ${stderr.trim().split('\n').pop()?.slice(0, 300) ?? 'no reason given'}`)
}

const host = (stderr: string) => {
  const name = /could not resolve host: ([\w.-]+)/i.exec(stderr)?.[1]
  return name ? ` (${name})` : ''
}

/** True when the server speaks the dumb HTTP protocol only, which has no shallow clones. */
export const isDumbServer = (error: unknown) =>
  error instanceof AppError && error.cause instanceof Error && /dumb http transport does not support/i.test(error.cause.message)
