/**
 * Building, ours against BuildKit in Debian's dockerd on the same machine in the same run: `npm run bench -- build`. Needs
 * root, the agent's release build, a static busybox; Debian's docker.io and docker-registry when there is to be a
 * comparison. `npm run bench -- build warm cold runs change modules push many cancel` runs only those groups, `--rounds=1` each once.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Builder, startBuilders, startBuildKit, type Tars } from './build/builders'
import { timeToEnd } from './build/cancel'
import { baseTars, large, linked, modules, runs, SOURCE_FILES, sixSteps, unruly } from './build/contexts'
import { type Cleanup, cleaning, hasRegistry, journaledFolder, settle, startRegistry } from './engine/hosts'
import { type Figure, median } from './stats'

export const BUILD_GROUPS = ['warm', 'cold', 'runs', 'change', 'modules', 'push', 'many', 'cancel']

type Pair = [Builder, Builder | null]
type Measure = (builder: Builder, round: number) => Promise<number>

export async function buildFigures(say: (text: string) => void, groups: string[] = BUILD_GROUPS, mostRounds = 100): Promise<Figure[]> {
  limit = mostRounds
  return await cleaning(say, async (cleanup) => {
    const folder = journaledFolder(cleanup)
    const tars = baseTars(folder)
    const builders = await startBuilders(folder, tars, cleanup)
    const figures: Figure[] = []
    for (const group of groups) {
      say(`build: ${group} …`)
      const measured = await MEASURES[group as keyof typeof MEASURES]({ folder, tars, builders, cleanup, say })
      // Said at once, too: a run that is broken off has told what it knew.
      for (const { name, ours, peer, unit } of measured)
        say(`  ${name}: ${median(ours).toFixed(1)} ${unit}${peer ? `, ${peer.name} ${median(peer.values).toFixed(1)}` : ''}`)
      figures.push(...measured)
      settle()
    }
    return figures
  })
}

interface Bench {
  folder: string
  tars: Tars
  builders: Pair
  cleanup: Cleanup
  say: (text: string) => void
}

/** Rounds that are asked for at most. */
let limit = 100

/** Ours and theirs in turn, so that a disturbance meets both. */
async function compare(name: string, aim: string, rounds: number, builders: Pair, measure: Measure): Promise<Figure> {
  const values = new Map<Builder, number[]>()
  for (let round = 0; round < Math.min(rounds, limit); round++) {
    for (const builder of builders) {
      if (!builder) continue
      settle()
      values.set(builder, [...(values.get(builder) ?? []), await measure(builder, round)])
    }
  }
  const [ours, theirs] = builders
  const peer = theirs && { name: theirs.name, values: values.get(theirs) ?? [] }
  return { name, unit: 'ms', ours: values.get(ours) ?? [], ...(peer && { peer }), aim }
}

const MEASURES = {
  async warm({ folder, builders }: Bench): Promise<Figure[]> {
    const context = sixSteps(join(folder, 'warm'), 'warm')
    for (const builder of builders) await builder?.build(context, 'bench-warm')
    const inside: number[] = []
    const seen = await compare(
      'build, nothing changed, six steps: client from start to exit',
      '≤ 100 ms; ≥ 4×',
      15,
      builders,
      async (builder) => {
        const built = await builder.build(context, 'bench-warm')
        if (!Number.isNaN(built.inside)) inside.push(built.inside)
        return built.seen
      },
    )
    return [{ name: 'build, nothing changed, six steps: in the agent', unit: 'ms', ours: inside, aim: '≤ 30 ms' }, seen]
  },

  async cold({ folder, builders }: Bench): Promise<Figure[]> {
    const context = sixSteps(join(folder, 'cold'), 'cold')
    const figure = await compare('build, cold: no cache, base there, six steps', '≥ 2×', 5, builders, async (builder) => {
      await builder.forget()
      return (await builder.build(context, 'bench-cold')).seen
    })
    return [figure]
  },

  async runs({ folder, builders }: Bench): Promise<Figure[]> {
    const [none, twenty] = [runs(join(folder, 'runs-1'), 1), runs(join(folder, 'runs-21'), 21)]
    // The build around the steps is taken off by another with one of them.
    const figure = await compare('overhead of each of 20 RUN true', '≤ 15 ms', 5, builders, async (builder) => {
      const little = (await builder.build(none, 'bench-runs', { noCache: true })).seen
      return ((await builder.build(twenty, 'bench-runs', { noCache: true })).seen - little) / 20
    })
    return [figure]
  },

  async change({ folder, builders }: Bench): Promise<Figure[]> {
    const context = sixSteps(join(folder, 'change'), 'change')
    for (const builder of builders) await builder?.build(context, 'bench-change')
    const figure = await compare(`build, one file of a ${SOURCE_FILES}-file COPY changed`, '≥ 2×', 7, builders, async (builder, round) => {
      writeFileSync(join(context, 'src/part-7/module-7.js'), `// changed ${builder.name} ${round}\n`)
      return (await builder.build(context, 'bench-change')).seen
    })
    return [figure]
  },

  async modules({ folder, builders }: Bench): Promise<Figure[]> {
    const context = modules(join(folder, 'modules'))
    const figure = await compare('build, RUN that makes 20,000 files: run, commit, export', '≥ 2×', 5, builders, async (builder) => {
      return (await builder.build(context, 'bench-node', { noCache: true })).seen
    })
    return [figure]
  },

  async push({ folder, tars, builders: [ours], cleanup, say }: Bench): Promise<Figure[]> {
    if (!hasRegistry()) {
      say('  docker-registry is not installed: apt-get install docker-registry')
      return []
    }
    const context = join(folder, 'large')
    const megabytes = large(context)
    // An empty registry each time: a known layer is not sent again.
    const peer = await startBuildKit(folder, tars, { bridge: false }, cleanup)
    const figure = await compare(`build + push of an image of ${megabytes} MB, cold`, '≥ 3×', 3, [ours, peer], async (builder) => {
      await builder.forget()
      const registry = await startRegistry(folder, cleanup)
      const from = performance.now()
      await builder.build(context, 'bench-large')
      await builder.engine.call('POST', `/images/bench-large/tag?repo=${registry.host}/bench/large&tag=latest`)
      await builder.engine.transfer(`/images/${registry.host}/bench/large/push?tag=latest`)
      const took = performance.now() - from
      await registry.stop()
      return took
    })
    rmSync(context, { recursive: true })
    return [figure]
  },

  async many({ folder, builders }: Bench): Promise<Figure[]> {
    const base = sixSteps(join(folder, 'many'), 'many')
    const contexts = Array.from({ length: 8 }, (_, i) => {
      const context = linked(base, join(folder, `many-${i}`))
      // All that follows package.json is its own.
      rmSync(join(context, 'package.json'))
      writeFileSync(join(context, 'package.json'), `{ "name": "many-${i}" }\n`)
      return context
    })
    const slowest: number[] = []
    const figure = await compare('8 six-step builds at once, cold, until the last is done', '≥ 1.67×', 3, builders, async (builder) => {
      await builder.forget()
      const from = performance.now()
      const building = Promise.all(contexts.map((context, i) => builder.build(context, `bench-many-${i}`)))
      const latency = builder.name === 'ours' ? slowestAnswer(builder, building) : null
      await building
      const took = performance.now() - from
      if (latency) slowest.push(await latency)
      return took
    })
    return [
      figure,
      { name: 'the engine’s slowest answer meanwhile (list of containers, each 50 ms)', unit: 'ms', ours: slowest, aim: '≤ 200 ms' },
    ]
  },

  async cancel({ folder, builders }: Bench): Promise<Figure[]> {
    const context = unruly(join(folder, 'unruly'))
    const name = 'cancel of a running build (client killed): last process gone'
    return [await compare(name, '≤ 500 ms', 9, builders, (builder) => timeToEnd(builder, context))]
  },
}

async function slowestAnswer({ engine }: Builder, until: Promise<unknown>): Promise<number> {
  let over = false
  const ended = () => {
    over = true
  }
  until.then(ended, ended)
  let slowest = 0
  while (!over) {
    const from = performance.now()
    await engine.call('GET', '/containers/json')
    slowest = Math.max(slowest, performance.now() - from)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return slowest
}
