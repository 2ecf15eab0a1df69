/** For tests: an installation that replicates (panel's services, registry, worker), a second one of ours, and Debian's docker-registry. */
import { type ChildProcess, spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { views } from '@slipway/contracts'
import { newId } from '@slipway/core'
import { RegistryClient } from '@slipway/oci'
import type { Scope } from '@slipway/services'
import { createHarness, type Harness } from '@slipway/services/testing'
import { freePort } from '@slipway/testing'
import { type Fixture, newKeyPem, startFixture, TestClient } from '../../../apps/registry/src/testing/fixture'
import { type RegistryProcess, spawnRegistry, writeKey } from '../../../apps/registry/src/testing/process'
import { type ReplicationDeps, runReplication } from '../../../apps/worker/src/replication/run'

const WORKER = path.resolve(import.meta.dirname, '../../../apps/worker')

export interface Hub {
  port: number
  url: string
  end(): Promise<void>
}

export interface World {
  h: Harness
  scope: Scope
  /** Ours. */
  registry: RegistryProcess
  client: TestClient
  folder: string
  deps: ReplicationDeps
  second: Fixture
  hub: Hub
  /** A rule with what a form would say; `inside`, since all is on this machine. */
  rule(more: Partial<RuleInput> & Pick<RuleInput, 'direction' | 'remote'>): Promise<string>
  /** By hand, in this process, to its end. */
  run(ruleId: string): Promise<views.ReplicationRunView>
  settled(runId: string): Promise<views.ReplicationRunView>
  /** The worker as a process of its own. */
  worker(): Promise<ChildProcess>
  close(): Promise<void>
}
type RuleInput = Parameters<Harness['services']['replication']['create']>[1]

export const clientOf = (baseUrl: string, credentials?: { username: string; password: string } | { bearer: string }) =>
  new RegistryClient({ baseUrl, ...(credentials && { credentials }) })

export async function startHub(folder: string): Promise<Hub> {
  const port = await freePort()
  await mkdir(folder, { recursive: true })
  const file = path.join(folder, 'hub.yml')
  await writeFile(
    file,
    `version: 0.1\nstorage: { filesystem: { rootdirectory: ${folder}/hub }, delete: { enabled: true } }\nhttp: { addr: 127.0.0.1:${port} }\n`,
  )
  const child = spawn('setpriv', ['--pdeathsig=KILL', '--', 'docker-registry', 'serve', file], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  for (let tries = 0; !(await fetch(`${url}/v2/`).catch(() => undefined))?.ok; tries++) {
    if (tries > 200) throw new Error('docker-registry did not start')
    await new Promise((r) => setTimeout(r, 50))
  }
  return { port, url, end: () => ended(child, 'SIGKILL') }
}

export const ended = (child: ChildProcess, signal: NodeJS.Signals) =>
  new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('close', () => resolve())
    child.kill(signal)
  })

let built: Promise<void> | undefined
const build = () =>
  new Promise<void>((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(WORKER, 'build.mjs')], { stdio: 'inherit' })
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`the build ended with ${code}`))))
  })

export async function startWorld(): Promise<World> {
  const h = await createHarness()
  const folder = await mkdtemp(path.join(tmpdir(), 'slipway-replication-'))
  const pem = newKeyPem()
  await writeKey(folder, pem)
  await writeFile(path.join(h.secretsDir, 'registry-token.pem'), pem, { mode: 0o600 })
  await copyFile(path.join(h.secretsDir, 'master.key'), path.join(folder, 'secrets/master.key'))
  const scope = await h.organization('Ada', 'acme')
  const registry = await spawnRegistry({ databaseUrl: h.databaseUrl, data: folder })
  const second = await startFixture()
  const hub = await startHub(folder)
  const quiet = () => undefined
  const log = { info: quiet, warn: quiet, error: console.error } as unknown as ReplicationDeps['log']
  const deps: ReplicationDeps = {
    db: h.db,
    sealer: h.deps.sealer,
    signals: h.deps.signals,
    log,
    stopping: new AbortController().signal,
    env: { SLIPWAY_REGISTRY_URL: registry.base, registryKey: pem },
  }
  const children: ChildProcess[] = []
  const { replication } = h.services
  const settled: World['settled'] = async (id) => {
    for (let tries = 0; tries < 600; tries++) {
      const run = await replication.runOf(scope, { id })
      if (run.finishedAt) return run
      await new Promise((r) => setTimeout(r, 100))
    }
    throw new Error('the run did not end')
  }
  return {
    h,
    scope,
    registry,
    client: new TestClient(registry.base, pem),
    folder,
    deps,
    second,
    hub,
    settled,
    async rule(more) {
      const names = { repositories: ['*'], tags: [], target: '', username: '' }
      const input = { name: 'rule', ...names, onPush: false, everyMinutes: null, enabled: true, inside: true, ...more }
      return (await replication.create(scope, input)).id
    },
    async run(ruleId) {
      // The job in the queue is nobody's here.
      const id = newId('replicationRun')
      const { organizationId } = scope
      await h.db.replicationRun.create({ data: { id, organizationId, ruleId, trigger: 'manual', actorLabel: 'Ada', tags: [] } })
      await runReplication(deps, id, new AbortController().signal)
      return replication.runOf(scope, { id })
    },
    async worker() {
      built ??= build()
      await built
      const port = (h.deps.redis as unknown as { options: { port: number } }).options.port
      const child = spawn('setpriv', ['--pdeathsig=KILL', '--', process.execPath, path.join(WORKER, 'dist/main.js')], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          PATH: process.env.PATH,
          DATABASE_URL: h.databaseUrl,
          REDIS_URL: `redis://127.0.0.1:${port}`,
          SLIPWAY_DATA: path.join(folder, 'worker'),
          SLIPWAY_SECRETS: h.secretsDir,
          SLIPWAY_WEB_URL: 'http://localhost:3000',
          SLIPWAY_REGISTRY_URL: registry.base,
          SLIPWAY_AGENT_SOCKET: '/nonexistent/agent.sock',
          SLIPWAY_CADDY_ADMIN: '/nonexistent/caddy.sock',
        },
      })
      children.push(child)
      await new Promise<void>((resolve, reject) => {
        child.stdout?.on('data', (chunk: Buffer) => {
          if (chunk.toString().includes('worker is at work')) resolve()
        })
        child.once('close', () => reject(new Error('the worker ended')))
      })
      return child
    },
    async close() {
      await Promise.all(children.map((child) => ended(child, 'SIGKILL')))
      await hub.end()
      await registry.end('SIGTERM')
      await second.close()
      await h.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
