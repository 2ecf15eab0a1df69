/**
 * The engine alone against Debian's dockerd on the same machine in the same run: `npm run bench -- engine`. Needs root, the
 * agent's release build, a static busybox; dockerd and docker-registry (both Debian's) when there is to be a comparison.
 * `npm run bench -- engine run many images` runs only those groups. All it makes lies in one folder and goes at the end.
 */
import { busyboxTar } from './engine/content'
import { benchFolder, type Cleanup, cleaning, hasRegistry, settle, startAgent, startPeer } from './engine/hosts'
import { imageFigures } from './engine/images'
import { BUSYBOX, runFigures } from './engine/lifecycle'
import { burstFigure, manyFigures, memoryFigures } from './engine/many'
import type { Figure } from './stats'

export const GROUPS = ['run', 'many', 'images']

export const engineFigures = (say: (text: string) => void, groups: string[] = GROUPS): Promise<Figure[]> =>
  cleaning(say, (cleanup) => measure(say, groups, cleanup))

async function measure(say: (text: string) => void, groups: string[], cleanup: Cleanup): Promise<Figure[]> {
  const folder = benchFolder(cleanup)
  const tar = busyboxTar(folder)
  const { engine: ours, pid } = await startAgent(folder, cleanup)
  // With a bridge it has a network of its own, without it reaches the registry on this machine's loopback.
  const peer = groups.some((group) => group !== 'images') ? await startPeer(folder, true, cleanup) : null
  const transferring = groups.includes('images') ? await startPeer(folder, false, cleanup) : null
  const [repo, tag] = BUSYBOX.split(':')
  for (const engine of [ours, peer?.engine, transferring?.engine]) {
    await engine?.upload('POST', `/images/create?fromSrc=-&repo=${repo}&tag=${tag}`, tar)
  }
  const figures: Figure[] = []
  if (groups.includes('run')) {
    say('engine: one after another …')
    figures.push(...(await runFigures(ours, peer?.engine ?? null)))
  }
  if (groups.includes('many')) {
    say('engine: 100 at once …')
    figures.push(await burstFigure(ours, peer?.engine ?? null))
    say('engine: 500 running …')
    figures.push(...(await manyFigures(ours, pid)))
    figures.push(...(await memoryFigures(ours, pid, peer)))
  }
  if (groups.includes('images')) {
    say('engine: pull, push, save, load …')
    if (hasRegistry()) figures.push(...(await imageFigures(folder, ours, transferring?.engine ?? null, cleanup)))
    else say('  docker-registry is not installed: apt-get install docker-registry')
  }
  settle()
  return figures
}
