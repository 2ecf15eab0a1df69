import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@slipway/testing'

const ROOT = resolve(import.meta.dirname, '../../..')
const AGENT = join(ROOT, 'apps/agent/target/release/slipway-agent')
const START_DEADLINE_MS = 15 * 60_000
const STOP_DEADLINE_MS = 120_000

export type PartName = 'postgres' | 'redis' | 'caddy' | 'registry' | 'agent' | 'worker' | 'web'

/** A whole Slipway, as `npm start` brings it up, with data and ports of its own. */
export interface Installation {
  data: string
  /** The settings it runs with, for other commands about it: `npm run base-images`. */
  env: Record<string, string>
  webUrl: string
  registryPort: number
  routerPort: number
  agentSocket: string
  /** Once it has been started. */
  databaseUrl(): string
  /** The one-time link of the first start; null later. */
  setupLink: string | null
  /** Everything that it has printed. */
  output(): string
  pid(part: PartName): number
  /** kill −9 of one part; the supervisor brings it back by itself. */
  kill9(part: PartName): void
  /** kill −9 of the supervisor alone, as when a terminal is torn away. */
  abandon(): Promise<void>
  /** As Ctrl-C; resolves to the exit code. */
  stop(): Promise<number | null>
  /** Up again on the same data and ports; resolves to the milliseconds that it took. */
  start(): Promise<number>
  /** Stops it if it runs, and removes its data. */
  remove(): Promise<void>
}

export async function createInstallation(extra: Record<string, string> = {}): Promise<Installation> {
  const data = mkdtempSync(join(tmpdir(), 'sw-e2e-'))
  const [web, registry, router] = [await freePort(), await freePort(), await freePort()]
  const env = {
    PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: process.env.HOME ?? '/root',
    SLIPWAY_DATA: data,
    SLIPWAY_WEB_PORT: String(web),
    SLIPWAY_REGISTRY_PORT: String(registry),
    SLIPWAY_ROUTER_PORT: String(router),
    ...extra,
  }
  let child: ChildProcess | undefined
  let printed = ''

  const installation: Installation = {
    data,
    env,
    webUrl: `http://localhost:${web}`,
    registryPort: registry,
    routerPort: router,
    agentSocket: join(data, 'run/agent.sock'),
    databaseUrl: () => {
      const password = encodeURIComponent(readFileSync(join(data, 'secrets/postgres.password'), 'utf8'))
      return `postgresql://slipway:${password}@localhost:5432/slipway?host=${encodeURIComponent(join(data, 'run/postgres'))}`
    },
    setupLink: null,
    output: () => printed,
    pid(part) {
      const parts = JSON.parse(readFileSync(join(data, 'run/processes.json'), 'utf8')) as { name: string; pid: number }[]
      const found = parts.find((p) => p.name === part)
      if (!found) throw new Error(`${part} is not running: ${parts.map((p) => p.name).join(', ')}`)
      return found.pid
    },
    kill9: (part) => void process.kill(installation.pid(part), 'SIGKILL'),
    async abandon() {
      if (!child) return
      const gone = new Promise((r) => child?.once('close', r))
      child.kill('SIGKILL')
      await gone
      child = undefined
    },
    async start() {
      const from = Date.now()
      const before = printed.length
      child = spawn(process.execPath, ['infra/start/main.mjs'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          printed += text
        })
      }
      const deadline = Date.now() + START_DEADLINE_MS
      while (!/Slipway is up at/.test(printed.slice(before))) {
        if (child.exitCode !== null || Date.now() > deadline) throw new Error(`Slipway did not come up:\n${printed.slice(before)}`)
        await sleep(25)
      }
      installation.setupLink = /(http\S+\/setup\?token=\S+)/.exec(printed.slice(before))?.[1] ?? null
      return Date.now() - from
    },
    async stop() {
      const process_ = child
      if (!process_ || process_.exitCode !== null) return process_?.exitCode ?? null
      const code = new Promise<number | null>((r) => process_.once('close', r))
      process_.kill('SIGINT')
      const timer = setTimeout(() => process_.kill('SIGKILL'), STOP_DEADLINE_MS)
      const result = await code
      clearTimeout(timer)
      child = undefined
      return result
    },
    async remove() {
      await installation.stop()
      // What the parts said is all there is to go by when a test has failed elsewhere.
      const logs = join(data, 'logs')
      if (existsSync(logs)) cpSync(logs, join(ROOT, 'test-results', basename(data)), { recursive: true })
      endLeftovers(data)
      for (const point of mountsBeneath(data)) execFileSync('umount', [point])
      rmSync(data, { recursive: true, force: true })
    },
  }
  return installation
}

/** What a supervisor left that was killed or did not come up: its parts, and what the agent has on the host. */
function endLeftovers(data: string): void {
  const file = join(data, 'run/processes.json')
  const parts = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }[]) : []
  for (const { pid } of parts) {
    const command = `/proc/${pid}/cmdline`
    if (existsSync(command) && readFileSync(command, 'utf8').includes(data)) process.kill(pid, 'SIGKILL')
  }
  const agent = join(data, 'agent')
  if (existsSync(agent)) execFileSync(AGENT, ['down', '--data-root', agent])
}

/** Disks that a test gave to a part, the deepest first. */
const mountsBeneath = (folder: string): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point.startsWith(`${folder}/`))
    .reverse()
