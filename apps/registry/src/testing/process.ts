/** For tests: the registry as its own process, built and started as `npm start` does it, so that it can be killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '@slipway/testing'

const APP = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

export interface RegistryProcess {
  base: string
  port: number
  child: ChildProcess
  /** Everything it wrote so far. */
  output(): string
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>
}

let built: Promise<void> | undefined

const build = () =>
  new Promise<void>((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(APP, 'build.mjs')], { stdio: 'inherit' })
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`the build ended with ${code}`))))
  })

export async function writeKey(data: string, pem: string): Promise<void> {
  await mkdir(path.join(data, 'secrets'), { recursive: true })
  await writeFile(path.join(data, 'secrets/registry-token.pem'), pem, { mode: 0o600 })
}

export interface ProcessOptions {
  databaseUrl: string
  data: string
  port?: number
  env?: Record<string, string>
}

/** Starts it and waits until /healthz is good, at most 20 s. */
export async function spawnRegistry(options: ProcessOptions): Promise<RegistryProcess> {
  const started = await launch(options)
  const deadline = Date.now() + 20_000
  for (;;) {
    const answer = await fetch(`${started.base}/healthz`).catch(() => undefined)
    if (answer?.ok) return started
    if (started.child.exitCode !== null || Date.now() > deadline) throw new Error(`the registry did not start:\n${started.output()}`)
    await new Promise((r) => setTimeout(r, 30))
  }
}

/** Starts it and does not wait, to see it fail. */
export async function launch({ databaseUrl, data, port, env }: ProcessOptions): Promise<RegistryProcess> {
  built ??= build()
  await built
  const used = port ?? (await freePort())
  const child = spawn(
    '/usr/bin/setpriv',
    ['--pdeathsig=KILL', '--', process.execPath, '--max-old-space-size=256', '--max-semi-space-size=2', path.join(APP, 'dist/main.js')],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        DATABASE_URL: databaseUrl,
        SLIPWAY_DATA: data,
        SLIPWAY_SECRETS: path.join(data, 'secrets'),
        SLIPWAY_REGISTRY_PORT: String(used),
        SLIPWAY_VERSION: 'test',
        UV_THREADPOOL_SIZE: '16',
        ...env,
      },
    },
  )
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-100_000)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  return {
    base: `http://127.0.0.1:${used}`,
    port: used,
    child,
    output: () => output,
    end: (signal) => {
      child.kill(signal)
      return ended
    },
  }
}
