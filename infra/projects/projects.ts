/**
 * Real projects (`apps/<name>`), built as the worker builds a repository and started on the same engine: what `npm run
 * projects` and the tests share. How packages are reached is this machine's configuration; no address stands here.
 */
import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Agent } from '@slipway/agent-client'
import { makeDockerfile } from '@slipway/context'
import { imageConfig } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { baseReferences, createIgnoreMatcher, parseDockerfile, planBuild, type ResolvedImage } from '@slipway/dockerfile'
import { giveContexts } from '../../apps/worker/src/pipeline/context'

const APPS = join(import.meta.dirname, 'apps')
const START_DEADLINE_MS = 60_000

export interface Project {
  name: string
  about: string
  /** Builds with the base image of busybox alone and without a network. */
  offline?: boolean
  target?: string
  env?: string[]
  /** Its pyproject.toml gets this machine's index as a source, as people write one behind a mirror; no address of one stands here. */
  poetrySource?: boolean
  /** Answers HTTP here, with a text that begins so. */
  port?: number
  answers?: string
  /** Or prints this and ends. */
  prints?: string
}

export const projects = (): Project[] =>
  readdirSync(APPS)
    .sort()
    .map((name) => ({ ...(JSON.parse(readFileSync(join(APPS, name, 'project.json'), 'utf8')) as Omit<Project, 'name'>), name }))

/** What this machine's package managers are told, for the ARGs of the same names. */
export function packageArguments(): Record<string, string> {
  const asked: [string, string[]][] = [
    ['PIP_INDEX_URL', ['pip', 'config', 'get', 'global.index-url']],
    ['GOPROXY', ['go', 'env', 'GOPROXY']],
    ['GOSUMDB', ['go', 'env', 'GOSUMDB']],
  ]
  const found: Record<string, string> = {}
  for (const [name, [program = '', ...args]] of asked) {
    const value = process.env[name] ?? ask(program, args)
    if (value) found[name] = value
  }
  return found
}

function ask(program: string, args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', timeout: 20_000, stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return '' // not installed, or not set: then its own default
  }
}

/** Builds a project; gives the image's name. Throws with the end of the build's log. */
export async function buildProject(agent: Agent, project: Project, signal: AbortSignal, say: (line: string) => void): Promise<string> {
  const folder = project.poetrySource ? withPoetrySource(join(APPS, project.name)) : null
  try {
    return await buildFolder(agent, project, folder ?? join(APPS, project.name), signal, say)
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true, force: true })
  }
}

/** Poetry asks what it takes for the public index for release documents, which mirrors need not have, and a source for the index alone. */
function withPoetrySource(directory: string): string {
  const pip = ask('python3', ['-c', 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)'])
  const url = packageArguments().PIP_INDEX_URL ?? pip
  const folder = mkdtempSync(join(tmpdir(), 'slipway-project-'))
  cpSync(directory, folder, { recursive: true })
  appendFileSync(join(folder, 'pyproject.toml'), `\n[[tool.poetry.source]]\nname = "index"\nurl = ${JSON.stringify(url)}\n`)
  return folder
}

async function buildFolder(
  agent: Agent,
  project: Project,
  directory: string,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<string> {
  const { text, ignore } = await dockerfileOf(directory, signal, say)
  const dockerfile = parseDockerfile(text, { file: 'Dockerfile' })
  const options = { target: project.target, buildArgs: project.offline ? {} : argumentsOf(text) }
  const resolved = new Map<string, ResolvedImage>()
  for (const reference of baseReferences(dockerfile, options)) resolved.set(reference, await onHost(agent, reference))
  const platform = { os: 'linux' as const, architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' }
  const { plan } = planBuild(dockerfile, { ...options, platform, resolved, ignore })
  const image = `docker.io/projects/${project.name}:latest`
  const given = await giveContexts(agent, 'projects', [{ root: directory, ignore }], signal)
  const request = { id: `project-${project.name}`, scope: 'projects', plan, tags: [image], ...given }
  let log = ''
  for await (const event of agent.build(request, signal)) {
    if (event.type === 'log') log = (log + event.data).slice(-4000)
    if (event.type === 'error') throw new Error(`${project.name} was not built: ${event.message}\n${log}`)
  }
  return image
}

/** The project's own, or the one that the worker makes for a repository without. */
async function dockerfileOf(directory: string, signal: AbortSignal, say: (line: string) => void) {
  const read = (file: string) => (existsSync(join(directory, file)) ? readFileSync(join(directory, file), 'utf8') : null)
  const own = read('Dockerfile')
  if (own !== null) return { text: own, ignore: createIgnoreMatcher(read('.dockerignore') ?? '') }
  const missing = new AppError({ kind: 'bad-input', code: 'DOCKERFILE_NOT_FOUND', message: `${directory} has no Dockerfile.` })
  const made = await makeDockerfile(directory, missing, signal, say)
  return { text: made.dockerfile, ignore: createIgnoreMatcher(read('.dockerignore') ?? made.ignore) }
}

/** The worker asks the registry first; here is none. */
async function onHost(agent: Agent, reference: string): Promise<ResolvedImage> {
  const name = /:[^/]+$/.test(reference) ? reference : `${reference}:latest`
  const { Id, Config } = await agent.docker.getImage(name).inspect()
  const set = Object.entries(Config).filter(([, value]) => value !== null && value !== '')
  return { reference: name, digest: Id, config: imageConfig.parse(Object.fromEntries(set)) }
}

/** Those that its Dockerfile declares: others would only be warned of. */
const argumentsOf = (text: string) =>
  Object.fromEntries(Object.entries(packageArguments()).filter(([name]) => text.includes(`ARG ${name}\n`)))

/** Starts it and sees that it does what it says. Throws with its log. */
export async function checkProject(agent: Agent, project: Project, image: string, signal: AbortSignal): Promise<void> {
  const container = await agent.docker.createContainer({ Image: image, Env: project.env })
  try {
    await container.start()
    if (project.prints !== undefined) {
      await container.wait({ abortSignal: signal })
      const printed = await logOf(container)
      if (!printed.includes(project.prints)) throw new Error(`${project.name} printed:\n${printed}`)
      return
    }
    const { NetworkSettings } = await container.inspect()
    const address = Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? ''
    await answering(`http://${address}:${project.port}/`, project.answers ?? '', signal)
  } catch (error) {
    throw new Error(
      `${project.name} does not do what it should: ${error instanceof Error ? error.message : error}\n${await logOf(container)}`,
    )
  } finally {
    await container.remove({ force: true, v: true })
  }
}

const logOf = async (container: ReturnType<Agent['docker']['getContainer']>) =>
  (await container.logs({ stdout: true, stderr: true, follow: false })).toString().slice(-4000)

async function answering(url: string, text: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS
  for (let last = 'nothing'; ; await sleep(200, undefined, { signal })) {
    try {
      last = await (await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(5000)]) })).text()
      if (last.includes(text)) return
    } catch (error) {
      last = String(error)
    }
    if (Date.now() > deadline) throw new Error(`${url} answers ${last.slice(0, 500)}`)
  }
}
