/**
 * What is inside layers: reading one of 100,000 entries, and what pages ask of a thousand images of 100,000 entries each:
 * `npm run bench -- layers [index|pages]`. The first needs the agent.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createAgent } from '@slipway/agent-client'
import { saveLayerIndex } from '@slipway/db'
import { createServices, namesOf, readDocument } from '@slipway/services'
import { createHarness, type Harness } from '@slipway/services/testing'
import { benchFolder, cleaning, startAgent } from './engine/hosts'
import { directoryOf, largeArchive } from './layers/archive'
import { fillLayers } from './layers/images'
import type { Figure } from './stats'

const ENTRIES = 100_000
const IMAGES = 1000
const ROUNDS = 15

export async function layersFigures(say: (text: string) => void, groups: string[]): Promise<Figure[]> {
  const figures: Figure[] = []
  if (groups.includes('index')) figures.push(...(await indexFigures(say)))
  if (groups.includes('pages')) figures.push(...(await pageFigures(say)))
  return figures
}

/** What the worker does with a pushed layer, without the way from the registry. */
const indexFigures = (say: (text: string) => void) =>
  cleaning(say, async (cleanup): Promise<Figure[]> => {
    const folder = benchFolder(cleanup)
    say(`layers: an archive of ${ENTRIES} entries …`)
    const file = largeArchive(folder, ENTRIES)
    await startAgent(folder, cleanup)
    const h = await createHarness()
    cleanup.add(() => h.close())
    const agent = createAgent({ socketPath: join(folder, 'agent.sock') })
    const digest = `sha256:${createHash('sha256')
      .update(await readFile(file))
      .digest('hex')}`
    await h.db.blob.create({ data: { digest, size: 1 } })
    const [listed, written, both] = [[], [], []] as [number[], number[], number[]]
    let size = 0
    for (let round = 0; round <= 5; round++) {
      const from = performance.now()
      const packed = Buffer.from(await agent.layers.listing(createReadStream(file), AbortSignal.timeout(120_000)))
      const middle = performance.now()
      const document = await readDocument(packed)
      const { length: entries, bytes, packages } = document
      await saveLayerIndex(h.db, digest, { entries, bytes: BigInt(bytes), document: packed, names: await namesOf(document), packages })
      const end = performance.now()
      size = packed.length
      if (round === 0) continue
      listed.push(middle - from)
      written.push(end - middle)
      both.push(end - from)
    }
    say(`  its listing has ${(size / 1e6).toFixed(1)} MB, packed`)
    return [
      { name: `layers: a layer of ${ENTRIES} entries listed by the agent`, unit: 'ms', ours: listed, aim: '—' },
      { name: 'layers: its listing and index written', unit: 'ms', ours: written, aim: '—' },
      { name: 'layers: both, from the archive to the rows', unit: 'ms', ours: both, aim: '—' },
    ]
  })

async function pageFigures(say: (text: string) => void): Promise<Figure[]> {
  const h = await createHarness()
  try {
    const scope = await h.organization('Ada', 'acme')
    say(`layers: ${IMAGES} images of ${ENTRIES} entries …`)
    await fillLayers(h.db, scope.organizationId, IMAGES)
    return await measure(h, scope)
  } finally {
    await h.close()
  }
}

async function measure(h: Harness, scope: Awaited<ReturnType<Harness['scope']>>): Promise<Figure[]> {
  const { files } = h.services
  const image = { repository: 'team/service-0', reference: '1.0' }
  const other = { repository: 'team/service-1', reference: '1.1' }
  const path = directoryOf(500)
  const seen = { hidden: false, offset: 0, limit: 200 }
  const where = (kind: 'file' | 'package' | 'layer', query: string) => () => files.whereUsed(scope, { kind, query, limit: 50 })
  const { layers } = await h.db.manifest.findFirstOrThrow({
    select: { layers: { select: { digest: true }, orderBy: { position: 'asc' } } },
  })
  // Services of their own have nothing in memory yet.
  const cold = () => createServices(h.deps).files
  const calls: [name: string, aim: string, call: () => Promise<unknown>][] = [
    ['first look at an image of 100,000 files', '≤ 1 s', () => cold().list(scope, { ...image, ...seen, path: '' })],
    ['first difference of two such images', '≤ 1 s', () => cold().compare(scope, { ...image, other })],
    ['state of the layers, totals, wasted', '≤ 50 ms', () => files.state(scope, image)],
    ['the top directory', '≤ 50 ms', () => files.list(scope, { ...image, ...seen, path: '' })],
    ['a directory below, with what is hidden', '≤ 50 ms', () => files.list(scope, { ...image, ...seen, path, hidden: true })],
    ['search by a part of the path', '≤ 50 ms', () => files.search(scope, { ...image, query: 'file-777', hidden: false })],
    ['search by a pattern, with what is hidden', '≤ 50 ms', () => files.search(scope, { ...image, query: '*-99?.js', hidden: true })],
    ['packages of an image', '≤ 50 ms', () => files.packages(scope, image)],
    ['difference of two images', '≤ 50 ms', () => files.compare(scope, { ...image, other })],
    ['where a path is used, in one image', '≤ 50 ms', where('file', '/app/7/asset-7.png')],
    ['where a path is used, in 1,000', '≤ 50 ms', where('file', '/app/server')],
    ['where a path is used that layers above replace', '≤ 50 ms', where('file', `/${directoryOf(97)}/file-97.js`)],
    ['where a name is used, in 1,000', '≤ 50 ms', where('file', 'file-4321.js')],
    ['where a package is used, in 1,000', '≤ 50 ms', where('package', 'library-7')],
    ['where packages begin so', '≤ 50 ms', where('package', 'libra')],
    ['where a layer is used, in 200', '≤ 50 ms', where('layer', layers[0]?.digest ?? '')],
    ['where nothing is found', '≤ 50 ms', where('file', '/no/such/file')],
  ]
  const figures: Figure[] = []
  for (const [name, aim, call] of calls) {
    const times: number[] = []
    for (let round = 0; round <= ROUNDS; round++) {
      const from = performance.now()
      await call()
      if (round > 0) times.push(performance.now() - from)
    }
    figures.push({ name: `layers: ${name}`, unit: 'ms', ours: times, aim })
  }
  return figures
}
