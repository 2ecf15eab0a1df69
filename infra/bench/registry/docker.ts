/** `docker push` and `docker pull` of a real image, with one dockerd for both registries. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { hasDockerd, startDockerd } from '@slipway/testing/dockerd'
import { publish, realImage } from '../engine/content'
import { type Cleanup, settle, startRegistry } from '../engine/hosts'
import type { Figure } from '../stats'
import { type Contender, startOurs, startTheirs } from './hosts'

const ROUNDS = 3
const NAME = 'acme/docker'

export async function dockerFigures(_pair: unknown, folder: string, cleanup: Cleanup): Promise<Figure[]> {
  if (!hasDockerd()) return []
  const daemon = await startDockerd({ parent: folder })
  cleanup.add(() => daemon.stop())
  const docker = (argv: string[], input?: string) =>
    execFileSync('docker', ['--config', join(folder, 'docker-config'), '-H', `unix://${daemon.socketPath}`, ...argv], {
      ...(input === undefined ? {} : { input }),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  const image = await realImage(folder)
  const source = await startRegistry(folder, cleanup)
  await publish(source.host, NAME, image)
  const local = `${source.host}/${NAME}:latest`
  docker(['pull', local])
  const seen = { push: new Map<string, number[]>(), pull: new Map<string, number[]>() }
  for (let round = 0; round < ROUNDS; round++) {
    // Empty ones each time: into one that knows the layers, a push is a look.
    const starters: (() => Promise<Contender | null>)[] = [() => startOurs(folder, cleanup), () => startTheirs(folder, cleanup)]
    for (const start of starters) {
      const contender = await start()
      if (!contender) continue
      const name = `${contender.host}/${NAME}:latest`
      if (contender.login) docker(['login', '-u', contender.login.user, '--password-stdin', contender.host], contender.login.password)
      docker(['tag', local, name])
      settle()
      const timed = (kind: 'push' | 'pull', argv: string[]) => {
        const from = performance.now()
        docker(argv)
        seen[kind].set(contender.name, [...(seen[kind].get(contender.name) ?? []), performance.now() - from])
      }
      timed('push', ['push', name])
      // Both names, so that the pull finds nothing of it.
      docker(['rmi', '-f', name, local])
      settle()
      timed('pull', ['pull', name])
      docker(['tag', name, local])
      docker(['rmi', name])
    }
  }
  return (['push', 'pull'] as const).map((kind) => {
    const theirs = seen[kind].get('docker-registry')
    return {
      name: `docker ${kind} of an image of ${image.megabytes} MB`,
      unit: 'ms',
      aim: '≥ 1×',
      ours: seen[kind].get('ours') ?? [],
      ...(theirs ? { peer: { name: 'docker-registry', values: theirs } } : {}),
    }
  })
}
