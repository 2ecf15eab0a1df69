/**
 * The registry alone against Debian's docker-registry, over loopback, with the same load program, in turn in the same run:
 * `npm run bench -- registry`. Needs root, npm packages, docker-registry and docker.io (both Debian's) for the comparison.
 * `npm run bench -- registry manifests pushes` measures only those groups. All it makes lies in one folder and goes at the end.
 */
import { benchFolder, Cleanup, settle } from './engine/hosts'
import { dockerFigures } from './registry/docker'
import { blobFigures, listFigures, manifestFigures, memoryFigures, pushFigures } from './registry/figures'
import { REGISTRY_GROUPS, type RegistryGroup } from './registry/groups'
import { type Contender, startOurs, startTheirs } from './registry/hosts'
import type { Figure } from './stats'

type Group = (contenders: [Contender, Contender | null], folder: string, cleanup: Cleanup) => Promise<Figure[]>
const MEASURES: Record<RegistryGroup, Group> = {
  manifests: manifestFigures,
  blobs: blobFigures,
  pushes: pushFigures,
  lists: listFigures,
  docker: dockerFigures,
  memory: memoryFigures,
}

export async function registryFigures(say: (text: string) => void, groups: readonly string[]): Promise<Figure[]> {
  const cleanup = new Cleanup()
  const interrupted = (signal: NodeJS.Signals) => {
    say('cleaning up …')
    void cleanup.run().then(() => process.exit(signal === 'SIGINT' ? 130 : 143))
  }
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    const folder = benchFolder(cleanup)
    const theirs = await startTheirs(folder, cleanup)
    if (!theirs) say('registry: docker-registry is not installed: apt-get install docker-registry')
    const contenders: [Contender, Contender | null] = [await startOurs(folder, cleanup), theirs]
    const figures: Figure[] = []
    for (const group of REGISTRY_GROUPS) {
      if (!groups.includes(group)) continue
      say(`registry: ${group} …`)
      figures.push(...(await MEASURES[group](contenders, folder, cleanup)))
      settle()
    }
    return figures
  } finally {
    await cleanup.run()
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
  }
}
