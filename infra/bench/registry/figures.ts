/** What is asked of both, in short rounds in turn: whatever else the machine does then hits both alike. */
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '@slipway/oci'
import { settle } from '../engine/hosts'
import { memoryOf } from '../memory'
import type { Figure } from '../stats'
import { type Contender, MANY_REPOSITORIES, MANY_TAGS } from './hosts'
import { Connection, expectStatus, load, locationOf, requestHead } from './load'

const ROUNDS = 5
const SECONDS = 1.5
const REPOSITORY = 'acme/bench'
const MIB = 1024 * 1024
/** More than either takes in a round of pushes. */
const WRITTEN_MIB = 3072

type Pair = [Contender, Contender | null]
type Measure = (contender: Contender) => Promise<number>

async function inTurn(
  [ours, theirs]: Pair,
  figure: Pick<Figure, 'name' | 'unit' | 'aim' | 'more'>,
  measure: Measure,
  rounds = ROUNDS,
): Promise<Figure> {
  const values: Record<string, number[]> = {}
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    for (const contender of [ours, theirs]) {
      if (!contender) continue
      const value = await measure(contender)
      if (round >= 0) values[contender.name] = [...(values[contender.name] ?? []), value]
    }
  }
  return {
    ...figure,
    ours: values[ours.name] ?? [],
    ...(theirs ? { peer: { name: theirs.name, values: values[theirs.name] ?? [] } } : {}),
  }
}

const digestOf = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`

async function pushBlob(contender: Contender, connection: Connection, content: Buffer, repository = REPOSITORY): Promise<string> {
  const digest = digestOf(content)
  await pushPieces(contender, connection, digest, [content], repository)
  return digest
}

async function pushPieces(
  contender: Contender,
  connection: Connection,
  digest: string,
  pieces: Buffer[],
  repository = REPOSITORY,
): Promise<void> {
  const begin = requestHead(contender, 'POST', `/v2/${repository}/blobs/uploads/`, { 'content-length': 0 })
  const begun = expectStatus(202, await connection.send(begin))
  const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
  const headers = { 'content-type': 'application/octet-stream', 'content-length': length }
  expectStatus(201, await connection.send(requestHead(contender, 'PUT', locationOf(begun, digest), headers), ...pieces))
}

/** An image of two small layers under that tag. Gives its digest. */
async function pushImage(contender: Contender, repository: string, tag: string): Promise<string> {
  const connection = await Connection.open(contender.host)
  try {
    const describe = async (mediaType: string, content: Buffer) => ({
      mediaType,
      digest: await pushBlob(contender, connection, content, repository),
      size: content.byteLength,
    })
    const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } }
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: await describe(OCI_CONFIG, Buffer.from(JSON.stringify(config))),
        layers: [await describe(OCI_LAYER_GZIP, randomBytes(1000)), await describe(OCI_LAYER_GZIP, randomBytes(1000))],
      }),
    )
    const headers = { 'content-type': OCI_MANIFEST, 'content-length': manifest.byteLength }
    expectStatus(201, await connection.send(requestHead(contender, 'PUT', `/v2/${repository}/manifests/${tag}`, headers), manifest))
    return digestOf(manifest)
  } finally {
    connection.close()
  }
}

const both = ([ours, theirs]: Pair) => (theirs ? [ours, theirs] : [ours])

export async function manifestFigures(pair: Pair): Promise<Figure[]> {
  const digests = new Map<Contender, string>()
  for (const contender of both(pair)) digests.set(contender, await pushImage(contender, REPOSITORY, 'v1'))
  const get = (reference: (contender: Contender) => string): Measure => {
    return async (contender) => {
      const head = requestHead(contender, 'GET', `/v2/${REPOSITORY}/manifests/${reference(contender)}`, { accept: OCI_MANIFEST })
      const work = async (connection: Connection) => expectStatus(200, await connection.send(head)).bytes
      return (await load(contender, 16, SECONDS, work)).perSecond
    }
  }
  const figure = { unit: '/s', aim: '≥ 2×', more: 'better' } as const
  return [
    await inTurn(
      pair,
      { ...figure, name: 'manifest GET by tag, 16 connections' },
      get(() => 'v1'),
    ),
    await inTurn(
      pair,
      { ...figure, name: 'manifest GET by digest, 16 connections' },
      get((contender) => digests.get(contender) ?? ''),
    ),
  ]
}

export async function blobFigures(pair: Pair): Promise<Figure[]> {
  const content = randomBytes(100 * MIB)
  const digest = digestOf(content)
  for (const contender of both(pair)) {
    const connection = await Connection.open(contender.host)
    await pushBlob(contender, connection, content)
    connection.close()
  }
  const measure: Measure = async (contender) => {
    const head = requestHead(contender, 'GET', `/v2/${REPOSITORY}/blobs/${digest}`)
    const work = async (connection: Connection) => expectStatus(200, await connection.send(head)).bytes
    return (await load(contender, 4, 2, work)).bytesPerSecond / 1e6
  }
  return [await inTurn(pair, { name: 'blob GET of 100 MiB, 4 connections', unit: 'MB/s', aim: '≥ 1×', more: 'better' }, measure)]
}

export async function pushFigures(pair: Pair): Promise<Figure[]> {
  // Each its own (what a registry has, it need not write), by its end alone: with what it has in common hashed once, the registries have
  // the processors and not this program.
  const start = randomBytes(4 * MIB - 16)
  const hash = createHash('sha256').update(start)
  const measure: Measure = async (contender) => {
    settle(WRITTEN_MIB)
    const work = async (connection: Connection) => {
      const end = randomBytes(16)
      await pushPieces(contender, connection, `sha256:${hash.copy().update(end).digest('hex')}`, [start, end])
      return 4 * MIB
    }
    return (await load(contender, 8, 2 * SECONDS, work)).perSecond
  }
  const name = 'push of 4 MiB blobs, 8 connections (ours synced, theirs not)'
  return [await inTurn(pair, { name, unit: '/s', aim: '≥ 1.5×', more: 'better' }, measure)]
}

export async function listFigures(pair: Pair): Promise<Figure[]> {
  for (const contender of both(pair)) {
    await pushImage(contender, REPOSITORY, 'listed')
    await contender.fill(await pushImage(contender, 'acme/many', 'first'))
  }
  const list = (path: string, field: string, wanted: number): Measure => {
    return async (contender) => {
      const headers = contender.token ? { authorization: `Bearer ${contender.token}` } : undefined
      const start = performance.now()
      const answer = (await (await fetch(`http://${contender.host}${path}`, { headers })).json()) as Record<string, string[]>
      const took = performance.now() - start
      const found = answer[field]?.length ?? 0
      if (Math.abs(found - wanted) > 3) throw new Error(`${contender.name}: ${found} ${field} instead of ${wanted}`)
      return took
    }
  }
  return [
    await inTurn(
      pair,
      { name: `list of ${MANY_TAGS} tags`, unit: 'ms', aim: '≤ 50 ms' },
      list(`/v2/acme/many/tags/list?n=${MANY_TAGS}`, 'tags', MANY_TAGS),
    ),
    await inTurn(
      pair,
      { name: `catalog of ${MANY_REPOSITORIES} repositories`, unit: 'ms', aim: '≤ 50 ms' },
      // docker-registry gives no more than a thousand at once.
      list(`/v2/_catalog?n=${MANY_REPOSITORIES}`, 'repositories', MANY_REPOSITORIES),
    ),
  ]
}

/** A blob of a gigabyte, sent piece by piece: as one buffer it would be this program's memory that is tried. */
async function pushGigabyte(contender: Contender): Promise<string> {
  const piece = randomBytes(MIB)
  const hash = createHash('sha256')
  const connection = await Connection.open(contender.host)
  const begin = requestHead(contender, 'POST', `/v2/${REPOSITORY}/blobs/uploads/`, { 'content-length': 0 })
  let answer = expectStatus(202, await connection.send(begin))
  const headers = { 'content-type': 'application/octet-stream', 'content-length': 64 * MIB }
  const chunk = Buffer.concat(Array.from({ length: 64 }, () => piece))
  for (let i = 0; i < 16; i++) {
    hash.update(chunk)
    const location = /\r\nlocation: *(\S+)/i.exec(answer.head)?.[1] ?? ''
    const { pathname, search } = new URL(location, 'http://registry')
    answer = expectStatus(202, await connection.send(requestHead(contender, 'PATCH', pathname + search, headers), chunk))
  }
  const digest = `sha256:${hash.digest('hex')}`
  expectStatus(201, await connection.send(requestHead(contender, 'PUT', locationOf(answer, digest), { 'content-length': 0 })))
  connection.close()
  return digest
}

const LOADED_SECONDS = 6

export async function memoryFigures(pair: Pair): Promise<Figure[]> {
  const megabytes = ({ pid }: Contender) => memoryOf([pid], () => false).total / 1e6
  const rest: number[][] = []
  const loaded: number[][] = []
  for (const contender of both(pair)) {
    const digest = await pushGigabyte(contender)
    await sleep(5000)
    rest.push([megabytes(contender)])
    const head = requestHead(contender, 'GET', `/v2/${REPOSITORY}/blobs/${digest}`)
    const connections = await Promise.all(Array.from({ length: 64 }, () => Connection.open(contender.host)))
    const under: number[] = []
    // Cut off in the middle after some seconds, as the last of 64 gigabytes would come long after.
    for (const connection of connections) connection.send(head).catch(() => undefined)
    for (let i = 0; i < LOADED_SECONDS * 4; i++) {
      await sleep(250)
      under.push(megabytes(contender))
    }
    for (const connection of connections) connection.close()
    loaded.push([Math.max(...under)])
  }
  const figure = (name: string, aim: string, values: number[][]): Figure => ({
    name,
    unit: 'MB',
    aim,
    ours: values[0] ?? [],
    ...(values[1] ? { peer: { name: pair[1]?.name ?? '', values: values[1] } } : {}),
  })
  return [
    figure('memory at rest, 5 s after a push of 1 GiB', '≤ 120 MB', rest),
    figure('memory under 64 connections that pull 1 GiB each, at most', '≤ 250 MB', loaded),
  ]
}
