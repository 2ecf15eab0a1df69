/**
 * `docker push` and `docker pull` of a real image, with one dockerd for both registries. A registry that runs has been pushed to
 * before, so another, small image goes first there, as the first round of the other figures is not counted either; what the first
 * push of a new process takes is a figure of its own.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { hasDockerd, startDockerd } from '@slipway/testing/dockerd'
import { publish, realImage } from '../engine/content'
import { type Cleanup, settle, startRegistry } from '../engine/hosts'
import type { Figure } from '../stats'
import { type Contender, startOurs, startTheirs } from './hosts'

const ROUNDS = 3
const NAME = 'acme/docker'
const SMALL = 'acme/small'
/** Megabytes of its layers. */
const SMALL_MB = [8, 4]

export async function dockerFigures(_pair: unknown, folder: string, cleanup: Cleanup): Promise<Figure[]> {
  if (!hasDockerd()) return []
  const daemon = await startDockerd({ parent: folder })
  cleanup.add(() => daemon.stop())
  const docker = (argv: string[], input?: string) =>
    execFileSync('docker', ['--config', join(folder, 'docker-config'), '-H', `unix://${daemon.socketPath}`, ...argv], {
      ...(input === undefined ? {} : { input }),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  const source = await startRegistry(folder, cleanup)
  const smallFolder = join(folder, 'small')
  mkdirSync(smallFolder)
  const image = await realImage(folder)
  await publish(source.host, NAME, image)
  await publish(source.host, SMALL, await realImage(smallFolder, SMALL_MB))
  const [local, localSmall] = [`${source.host}/${NAME}:latest`, `${source.host}/${SMALL}:latest`]
  docker(['pull', local])
  docker(['pull', localSmall])
  const seen = { first: new Map<string, number[]>(), push: new Map<string, number[]>(), pull: new Map<string, number[]>() }
  const timed = (kind: keyof typeof seen, { name }: Contender, argv: string[]) => {
    settle()
    const from = performance.now()
    docker(argv)
    seen[kind].set(name, [...(seen[kind].get(name) ?? []), performance.now() - from])
  }
  const start = async (of: () => Promise<Contender | null>) => {
    const contender = await of()
    if (contender?.login) docker(['login', '-u', contender.login.user, '--password-stdin', contender.host], contender.login.password)
    return contender
  }
  for (let round = 0; round < ROUNDS; round++) {
    // Empty ones each time: into one that knows the layers, a push is a look.
    const starters: (() => Promise<Contender | null>)[] = [() => startOurs(folder, cleanup), () => startTheirs(folder, cleanup)]
    for (const starter of starters) {
      const fresh = await start(starter)
      if (!fresh) continue
      const name = `${fresh.host}/${NAME}:latest`
      docker(['tag', local, name])
      timed('first', fresh, ['push', name])
      docker(['rmi', name])
    }
    for (const starter of starters) {
      const contender = await start(starter)
      if (!contender) continue
      const [name, small] = [`${contender.host}/${NAME}:latest`, `${contender.host}/${SMALL}:latest`]
      docker(['tag', localSmall, small])
      docker(['push', small])
      docker(['rmi', small])
      docker(['tag', local, name])
      timed('push', contender, ['push', name])
      // Both names, so that the pull finds nothing of it.
      docker(['rmi', '-f', name, local])
      timed('pull', contender, ['pull', name])
      docker(['tag', name, local])
      docker(['rmi', name])
    }
  }
  const named = {
    push: `docker push of an image of ${image.megabytes} MB`,
    first: 'the same as the first push of a new process',
    pull: `docker pull of an image of ${image.megabytes} MB`,
  }
  return (['push', 'first', 'pull'] as const).map((kind) => {
    const theirs = seen[kind].get('docker-registry')
    return {
      name: named[kind],
      unit: 'ms',
      aim: '≥ 1×',
      ours: seen[kind].get('ours') ?? [],
      ...(theirs ? { peer: { name: 'docker-registry', values: theirs } } : {}),
    }
  })
}
