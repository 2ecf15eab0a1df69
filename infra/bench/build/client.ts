/**
 * What builds a folder on the agent, as a process of its own: reads and plans the Dockerfile, sends the context, follows the
 * events. `<socket> <folder> <tag> <folder of caches> [no-cache]`: prints `{ milliseconds }`, the agent's own time, and fails with the agent's
 * words.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { giveContext, StatCache, walkContext } from '@slipway/context'
import type { ImageConfig } from '@slipway/contracts'
import { baseReferences, createIgnoreMatcher, parseDockerfile, planBuild, type ResolvedImage } from '@slipway/dockerfile'
import { calls } from './calls'

const [socketPath = '', folder = '', tag = '', cacheDir = '', noCache] = process.argv.slice(2)
const signal = AbortSignal.timeout(300_000)
const agent = calls(socketPath, signal)

async function inspect(reference: string): Promise<ResolvedImage> {
  const info = await agent.inspect(reference)
  const config = Object.fromEntries(Object.entries(info.Config).filter(([, value]) => value !== null && value !== ''))
  return { digest: info.Id, config: config as ImageConfig, reference: `docker.io/library/${reference}:latest` }
}

async function main(): Promise<void> {
  const dockerfile = parseDockerfile(readFileSync(join(folder, 'Dockerfile'), 'utf8'), { file: 'Dockerfile' })
  const resolved = new Map<string, ResolvedImage>()
  for (const reference of baseReferences(dockerfile)) resolved.set(reference, await inspect(reference))
  const ignore = createIgnoreMatcher('')
  const platform = { os: 'linux' as const, architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' }
  const { plan } = planBuild(dockerfile, { resolved, ignore, platform })
  const cache = await StatCache.open(cacheDir, folder)
  const context = await walkContext(folder, ignore, signal, { cache })
  const tree = await giveContext(agent.contexts, 'bench', context, signal)
  await cache.save(folder)
  const build = { id: `bench-${process.pid}`, scope: 'bench', plan, tags: [tag], noCache: noCache === 'no-cache', context: { tree } }
  for await (const event of agent.build(build)) {
    if (event.type === 'error') throw new Error(`${event.code}: ${event.message}`)
    if (event.type === 'result') process.stdout.write(JSON.stringify({ milliseconds: event.durationMs }))
  }
}

void main()
