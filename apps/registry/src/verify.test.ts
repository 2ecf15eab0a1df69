/** `verify`: each kind of thing broken on purpose, found, and repaired where the bytes allow it; stopped and gone on with; while pushes run. */
import { randomUUID } from 'node:crypto'
import { rm, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { claimVerification, createVerification, type VerificationProblem } from '@slipway/db'
import { OCI_INDEX } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Integrity } from './integrity/integrity'
import { FilesystemStore } from './store/filesystem'
import { type Fixture, type PushedImage, startFixture } from './testing/fixture'
import { runVerification } from './verify/verifier'
import { VerificationWatch } from './verify/watch'

const log = pino({ level: 'silent' })
let f: Fixture
let store: FilesystemStore
beforeAll(async () => {
  f = await startFixture()
  store = new FilesystemStore(f.root)
})
afterAll(() => f.close())

const fileOf = (digest: string) => path.join(f.root, 'blobs/sha256', digest.slice(7, 9), digest.slice(7))
const options = () => ({ db: f.db, store, log, integrity: new Integrity({ db: f.db, store, log }) })

async function verify({ repair = false, signal = undefined as AbortSignal | undefined } = {}) {
  const holder = randomUUID()
  const row = await createVerification(f.db, { requestedBy: 'test', repair, bytesPerSecond: null, holder })
  if (!row) throw new Error('another verification is under way')
  const { problems, ...progress } = await runVerification({ ...options(), signal }, row, holder)
  const brief = problems.map(({ kind, subject, repaired }) => ({ kind, subject, repaired }))
  return { ...progress, problems: brief, kinds: problems.map((p) => p.kind).sort() }
}
const manifestRow = (image: PushedImage) => f.db.manifest.findFirstOrThrow({ where: { digest: image.digest } })

it('finds nothing where nothing is broken', async () => {
  const image = await f.push('acme/sound', 'v1')
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: image.digest,
        size: image.manifest.length,
        platform: { os: 'linux', architecture: 'amd64' },
      },
    ],
    annotations: { 'org.example': 'ä' },
  })
  expect((await f.call('PUT', '/v2/acme/sound/manifests/all', { headers: { 'content-type': OCI_INDEX }, body: index })).status).toBe(201)
  const artifact = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: 'text/plain',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: image.config, size: (await store.size(image.config)) ?? 0 },
    layers: [],
    subject: { mediaType: OCI_INDEX, digest: digestBytes(index), size: index.length },
  })
  const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }
  expect((await f.call('PUT', `/v2/acme/sound/manifests/${digestBytes(artifact)}`, { headers, body: artifact })).status).toBe(201)
  const found = await verify()
  expect(found).toMatchObject({ problems: [], found: 0, blobs: 3, manifests: 3, files: 3 })
})

it('finds each kind of damage, says so again without repair, and repairs what the bytes allow', async () => {
  const names = ['rows', 'facts', 'link', 'norow', 'sized', 'flipped', 'gone', 'lost', 'tampered']
  const images = new Map<string, PushedImage>()
  for (const name of names) images.set(name, await f.push('acme/broken', name, [`only in ${name}`]))
  const image = (name: string) => images.get(name) as PushedImage
  const layer = (name: string) => image(name).layers[0] ?? ''
  const subject = (name: string) => `acme/broken@${image(name).digest}`
  const before = await Promise.all(
    ['rows', 'facts'].map(async (name) => f.db.manifest.findFirst({ where: { digest: image(name).digest }, include: { layers: true } })),
  )

  await f.db.manifestLayer.deleteMany({ where: { manifest: { digest: image('rows').digest } } })
  await f.db.manifest.updateMany({
    where: { digest: image('facts').digest },
    data: { architecture: 's390x', totalSize: 1n, artifactType: 'text/made-up' },
  })
  await f.db.repositoryBlob.deleteMany({ where: { digest: layer('link') } })
  await f.db.repositoryBlob.deleteMany({ where: { digest: layer('norow') } })
  await f.db.blob.delete({ where: { digest: layer('norow') } })
  await f.db.blob.update({ where: { digest: layer('sized') }, data: { size: 1n } })
  await writeFile(fileOf(layer('flipped')), 'only in FLIPPED')
  await rm(fileOf(layer('gone')))
  await f.db.repositoryBlob.deleteMany({ where: { digest: layer('lost') } })
  await f.db.blob.delete({ where: { digest: layer('lost') } })
  await rm(fileOf(layer('lost')))
  await f.db.manifest.updateMany({
    where: { digest: image('tampered').digest },
    data: { content: new TextEncoder().encode('{"schemaVersion":2}') },
  })
  const stray = digestBytes('nobody knows this file')
  await writeFile(fileOf(stray), 'nobody knows this file')
  await utimes(fileOf(stray), new Date(0), new Date(0))
  const fresh = digestBytes('a push is about to write its row')
  await writeFile(fileOf(fresh), 'a push is about to write its row')

  const everything = (repaired: boolean) => [
    { kind: 'blob-size', subject: layer('sized'), repaired },
    { kind: 'image-incomplete', subject: subject('lost'), repaired: false },
    { kind: 'link-missing', subject: subject('link'), repaired },
    { kind: 'row-missing', subject: subject('norow'), repaired },
    { kind: 'manifest-damaged', subject: subject('tampered'), repaired: false },
    { kind: 'manifest-rows', subject: subject('facts'), repaired },
    { kind: 'manifest-rows', subject: subject('rows'), repaired },
    { kind: 'blob-damaged', subject: layer('flipped'), repaired: false },
    { kind: 'blob-missing', subject: layer('gone'), repaired: false },
    { kind: 'stray', subject: stray, repaired: true },
  ]
  const sorted = (problems: { kind: string; subject: string }[]) => problems.map((p) => JSON.stringify(p)).sort()
  const first = await verify()
  expect(sorted(first.problems)).toEqual(sorted(everything(false)))
  expect([first.found, first.repaired]).toEqual([10, 1])
  // Taken out of service either way, and found again as gone.
  const second = await verify({ repair: true })
  const now = everything(true).map((one) => (one.kind === 'blob-damaged' ? { ...one, kind: 'blob-missing' } : one))
  expect(sorted(second.problems)).toEqual(sorted(now))

  const after = await Promise.all(
    ['rows', 'facts'].map(async (name) => f.db.manifest.findFirst({ where: { digest: image(name).digest }, include: { layers: true } })),
  )
  expect(after).toEqual(before)
  for (const name of ['link', 'norow', 'sized']) {
    expect(await (await f.call('GET', `/v2/acme/broken/blobs/${layer(name)}`)).text()).toBe(`only in ${name}`)
  }
  for (const name of ['flipped', 'gone']) expect((await f.call('GET', `/v2/acme/broken/blobs/${layer(name)}`)).status).toBe(404)

  for (const name of ['flipped', 'gone', 'lost', 'tampered']) await f.push('acme/broken', name, [`only in ${name}`])
  const third = await verify({ repair: true })
  expect(third.kinds).toEqual(['stray'])
  expect(await manifestRow(image('tampered'))).toMatchObject({ size: image('tampered').manifest.length })
})

it('says of a blob that came back that it is sound', async () => {
  const { layers } = await f.push('acme/returns', 'v1', ['back again'])
  const digest = layers[0] ?? ''
  await rm(fileOf(digest))
  expect((await verify()).kinds).toContain('blob-missing')
  await writeFile(fileOf(digest), 'back again')
  expect((await verify()).problems).toContainEqual({ kind: 'blob-healed', subject: digest, repaired: true })
  expect((await f.call('GET', `/v2/acme/returns/blobs/${digest}`)).status).toBe(200)
})

it('goes on where a process died, and is taken by one that looks for work; two at once there are not', async () => {
  const made = await createVerification(f.db, { requestedBy: 'ada', repair: false, bytesPerSecond: null })
  expect(await createVerification(f.db, { requestedBy: 'bob', repair: false, bytesPerSecond: null })).toBeNull()
  const dead = await claimVerification(f.db, 'a process that dies')
  expect(dead?.id).toBe(made?.id)
  const watch = new VerificationWatch(options())
  expect(await watch.look(), 'it is held').toBe(false)
  const blobs = await f.db.blob.findMany({ orderBy: { digest: 'asc' } })
  const middle = blobs[5]
  await f.db.storeVerification.updateMany({ where: { id: made?.id }, data: { cursor: middle?.digest, blobs: 6, leaseUntil: new Date(0) } })
  expect(await watch.look()).toBe(true)
  const row = await f.db.storeVerification.findUniqueOrThrow({ where: { id: made?.id ?? '' } })
  expect(row).toMatchObject({ state: 'done', requestedBy: 'ada', blobs: blobs.length })
  const untouched = await f.db.blob.findUniqueOrThrow({ where: { digest: middle?.digest ?? '' } })
  expect(untouched.verifiedAt.getTime()).toBeLessThan(row.startedAt?.getTime() ?? 0)
  expect((row.problems as unknown as VerificationProblem[]).map((p) => p.kind)).toEqual(['stray'])
})

it('finds nothing wrong while images are pushed and deleted', async () => {
  let stop = false
  const pushing = (async () => {
    for (let i = 0; !stop; i++) {
      const image = await f.push('acme/moving', `t${i % 3}`, [`moving ${i}`, 'moving base'])
      if (i % 2 === 0) await f.call('DELETE', `/v2/acme/moving/manifests/${image.digest}`)
    }
  })()
  try {
    for (let round = 0; round < 3; round++) expect((await verify({ repair: true })).kinds).toEqual(['stray'])
  } finally {
    stop = true
    await pushing
  }
})
