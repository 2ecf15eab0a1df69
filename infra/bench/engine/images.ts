import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Figure } from '../stats'
import type { Engine } from './api'
import { publish, realImage } from './content'
import { type Cleanup, settle, startRegistry } from './hosts'
import { create } from './lifecycle'

const NAME = 'bench/real'
const CP_MB = 200

type Measure = (engine: Engine) => Promise<number>

/** A and B in turn, `rounds` times; what the one before wrote is on the disk first, as far as a few seconds allow. */
async function compare(name: string, aim: string, rounds: number, engines: [Engine, Engine | null], measure: Measure): Promise<Figure> {
  const [ours, peer] = engines
  const values = new Map<Engine, number[]>()
  for (let round = 0; round < rounds; round++) {
    for (const engine of [ours, peer]) {
      if (!engine) continue
      settle()
      values.set(engine, [...(values.get(engine) ?? []), await measure(engine)])
    }
  }
  const theirs = peer && values.get(peer)
  return { name, unit: 'ms', ours: values.get(ours) ?? [], ...(theirs ? { peer: { name: 'dockerd', values: theirs } } : {}), aim }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work()
  return performance.now() - from
}

export async function imageFigures(folder: string, ours: Engine, peer: Engine | null, cleanup: Cleanup): Promise<Figure[]> {
  const image = await realImage(folder)
  const packed = Math.round(image.layers.reduce((sum, layer) => sum + layer.size, 0) / 1e6)
  const what = `${image.megabytes} MB (${packed} MB packed, ${image.layers.length} layers)`
  const registry = await startRegistry(folder, cleanup)
  await publish(registry.host, NAME, image)
  const pulled = `${registry.host}/${NAME}:latest`
  const engines: [Engine, Engine | null] = [ours, peer]

  const pull = await compare(`pull + unpack of ${what}`, '≤ 1.0 s; ≥ 3×', 3, engines, async (engine) => {
    await engine.call('DELETE', `/images/${pulled}?force=1`).catch((error: Error) => {
      if (!error.message.includes('answered 404')) throw error
    })
    return timed(() => engine.transfer(`/images/create?fromImage=${registry.host}/${NAME}&tag=latest`))
  })

  // An empty registry each time: into a known one, a push is a mount of blobs that are there.
  const push = await compare('push of the same into an empty registry', '≤ 1.0 s; ≥ 6×', 3, engines, async (engine) => {
    const empty = await startRegistry(folder, cleanup)
    const target = `${empty.host}/${NAME}`
    await engine.call('POST', `/images/${pulled}/tag?repo=${target}&tag=latest`)
    const took = await timed(() => engine.transfer(`/images/${target}/push?tag=latest`))
    await engine.call('DELETE', `/images/${target}:latest`)
    await empty.stop()
    return took
  })

  const archive = join(folder, 'saved.tar')
  const save = await compare('save of the same', '≥ 1×', 2, engines, (engine) => timed(() => engine.download(`/images/${pulled}/get`)))
  // The same archive for both, from the peer when there is one: its layers are not packed.
  await (peer ?? ours).download(`/images/${pulled}/get`, archive)
  const load = await compare('load of the same (archive of the peer)', '≥ 1×', 2, engines, async (engine) => {
    await engine.call('DELETE', `/images/${pulled}?force=1`)
    return timed(() => engine.upload('POST', '/images/load', archive))
  })
  rmSync(archive)
  return [pull, push, save, load, ...(await copyFigures(folder, engines))]
}

/** `cp` of a large file both ways; no row when the engine has no such endpoint. */
async function copyFigures(folder: string, engines: [Engine, Engine | null]): Promise<Figure[]> {
  const [ours, peer] = engines
  const ids = new Map<Engine, string>()
  for (const engine of [ours, peer]) if (engine) ids.set(engine, await create(engine, ['sleep', '600']))
  const path = (engine: Engine, inside: string) => `/containers/${ids.get(engine)}/archive?path=${inside}`
  const figures: Figure[] = []
  try {
    if (await hasArchive(ours, path(ours, '/etc'))) {
      const tar = largeFileTar(folder)
      const put: Measure = (engine) => timed(() => engine.upload('PUT', path(engine, '/'), tar))
      const get: Measure = (engine) => timed(() => engine.download(path(engine, '/large')))
      figures.push(await compare(`cp of a ${CP_MB} MB file into a container`, '≥ 1×', 3, engines, put))
      figures.push(await compare(`cp of a ${CP_MB} MB file out of a container`, '≥ 1×', 3, engines, get))
      rmSync(tar)
    }
  } finally {
    for (const [engine, id] of ids) await engine.call('DELETE', `/containers/${id}?force=1`)
  }
  return figures
}

async function hasArchive(engine: Engine, path: string): Promise<boolean> {
  try {
    await engine.download(path)
    return true
  } catch (error) {
    process.stderr.write(`  no cp: ${error instanceof Error ? error.message : error}\n`)
    return false
  }
}

function largeFileTar(folder: string): string {
  const [root, tar] = [join(folder, 'large-file'), join(folder, 'large.tar')]
  mkdirSync(root)
  execFileSync('dd', ['if=/dev/urandom', `of=${root}/large`, 'bs=1M', `count=${CP_MB}`], { stdio: 'ignore' })
  execFileSync('tar', ['-C', root, '-cf', tar, 'large'])
  rmSync(root, { recursive: true })
  return tar
}
