/**
 * The two builders: ours, driven as the worker does (its plan of a folder, its context, the agent), and BuildKit in Debian's
 * dockerd with the docker CLI of the same package.
 */
import { execFile, execFileSync } from 'node:child_process'
import { createReadStream, existsSync, lutimesSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createAgent } from '@slipway/agent-client'
import { AppError } from '@slipway/core'
import { startDockerd } from '@slipway/testing/dockerd'
import { loadImages } from '@slipway/testing/load-images'
import type { Deps } from '../../../apps/worker/src/deps'
import { giveContexts } from '../../../apps/worker/src/pipeline/context'
import { plan } from '../../../apps/worker/src/pipeline/plan'
import { CLEAN_PATH } from '../docker/daemons'
import { startAgent } from './agent'
import { baseArchive } from './base'
import type { Case } from './case'
import { startWorkerDeps } from './worker'

/** What came of a build: an image by this name, or why not. */
export type Outcome = { image: string } | { refused: string; code: string }

export interface Builders {
  ours: { socketPath: string; build(test: Case): Promise<Outcome> }
  theirs: { socketPath: string; build(test: Case): Promise<Outcome> }
  stop(): Promise<void>
}

/** The docker CLI that has BuildKit built in; a newer one wants a plugin. */
const DOCKER = '/usr/bin/docker'

export async function startBuilders(): Promise<Builders> {
  const folder = mkdtempSync('/var/tmp/sw-diff-')
  const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  const stop = async () => {
    for (let step = undo.pop(); step; step = undo.pop()) await step()
  }
  try {
    const archive = await baseArchive(folder)
    const [ours, theirSocket] = await Promise.all([startOurs(folder, archive, undo), startPeer(folder, undo)])
    await loadImages(theirSocket, createReadStream(archive))
    const number = counter()
    return {
      ours,
      theirs: { socketPath: theirSocket, build: (test) => theirBuild(theirSocket, folder, `theirs-${number()}`, test) },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function counter(): () => number {
  let count = 0
  return () => ++count
}

/** With the bases of `archive`. */
export async function startOurs(folder: string, archive: string, undo: (() => unknown)[]): Promise<Builders['ours']> {
  const { socketPath, stop } = await startAgent(folder)
  undo.push(stop)
  await loadImages(socketPath, createReadStream(archive))
  const worker = await startWorkerDeps()
  undo.push(worker.stop)
  const deps = worker.of(createAgent({ socketPath }))
  const number = counter()
  return { socketPath, build: (test) => ourBuild(deps, join(folder, `ours-${number()}`), test) }
}

async function startPeer(folder: string, undo: (() => unknown)[]): Promise<string> {
  if (!existsSync(DOCKER)) throw new Error('Debian’s docker is not installed: apt-get install docker.io')
  const peer = await startDockerd({ bridge: true, parent: folder })
  undo.push(() => peer.stop())
  return peer.socketPath
}

/** Writes the folder that is built. */
export async function writeContext(folder: string, test: Pick<Case, 'dockerfile' | 'files' | 'setup'>): Promise<void> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'Dockerfile'), test.dockerfile)
  const modes: [string, number][] = []
  for (const [name, file] of Object.entries(test.files ?? {})) {
    const path = join(folder, name)
    const { text = '', mode, link, dir } = typeof file === 'string' || Buffer.isBuffer(file) ? { text: file } : file
    mkdirSync(dir ? path : dirname(path), { recursive: true })
    if (link !== undefined) symlinkSync(link, path)
    else if (!dir) writeFileSync(path, text)
    if (mode !== undefined) modes.push([path, mode])
  }
  for (const [path, mode] of modes.reverse()) await chmod(path, mode)
  if (test.setup) execFileSync('sh', ['-ec', test.setup], { cwd: folder, env: { PATH: CLEAN_PATH } })
  const now = new Date()
  lutimesSync(join(folder, 'Dockerfile'), now, now)
}

async function ourBuild(deps: Deps, folder: string, test: Case): Promise<Outcome> {
  const { agent } = deps
  const image = `${folder.split('/').pop()}:latest`
  if (test.base !== undefined) {
    const base = await ourBuild(deps, `${folder}-base`, { name: `base of ${test.name}`, dockerfile: test.base })
    if ('refused' in base) throw new Error(`the base of ${test.name} was not built: ${base.refused}`)
    return await ourBuild(deps, folder, onBase(test, base.image))
  }
  await writeContext(folder, test)
  try {
    const signal = AbortSignal.timeout(120_000)
    const source = {
      ...{ organization: 'differential', directory: folder, contextPath: '.', dockerfilePath: 'Dockerfile' },
      ...{
        target: test.target ?? null,
        buildArgs: test.buildArgs ?? {},
        kept: null,
        platforms: [],
        ssh: null,
        scratch: `${folder}-contexts`,
      },
    }
    const planned = await plan(
      deps,
      source,
      signal,
      () => undefined,
      async () => undefined,
    )
    const id = image.replace(':latest', '')
    const tags = [`docker.io/library/${image}`]
    let log = ''
    const given = await giveContexts(agent, 'differential', planned.sent, signal)
    for await (const event of agent.build({ id, scope: 'differential', plan: planned.plan, tags, ...given }, signal)) {
      if (event.type === 'log') log = (log + event.data).slice(-2000)
      if (event.type === 'error') return { refused: `${event.message}\n${log}`, code: event.code }
    }
    return { image }
  } catch (error) {
    if (error instanceof AppError) return { refused: error.message, code: error.code }
    throw error
  } finally {
    for (const path of [folder, `${folder}-contexts`]) rmSync(path, { recursive: true, force: true })
  }
}

async function theirBuild(socketPath: string, parent: string, name: string, test: Case): Promise<Outcome> {
  if (test.base !== undefined) {
    const base = await theirBuild(socketPath, parent, `${name}-base`, { name: `base of ${test.name}`, dockerfile: test.base })
    if ('refused' in base) throw new Error(`the base of ${test.name} was not built: ${base.refused}`)
    return await theirBuild(socketPath, parent, name, onBase(test, base.image))
  }
  const folder = join(parent, name)
  await writeContext(folder, test)
  const args = ['build', '--progress=plain', '-t', name]
  if (test.target !== undefined) args.push('--target', test.target)
  for (const [key, value] of Object.entries(test.buildArgs ?? {})) args.push('--build-arg', `${key}=${value}`)
  const env = { PATH: CLEAN_PATH, HOME: parent, DOCKER_BUILDKIT: '1', DOCKER_HOST: `unix://${socketPath}` }
  const outcome = await new Promise<Outcome>((done) => {
    execFile(DOCKER, [...args, folder], { env, timeout: 120_000, maxBuffer: 16 << 20 }, (error, out, err) => {
      done(error ? { refused: `${out}${err}`.slice(-2000), code: String(error.code) } : { image: `${name}:latest` })
    })
  })
  rmSync(folder, { recursive: true, force: true })
  return outcome
}

export const onBase = ({ base: _built, ...test }: Case, image: string): Case => ({
  ...test,
  dockerfile: test.dockerfile.replaceAll('BASE', image),
})
