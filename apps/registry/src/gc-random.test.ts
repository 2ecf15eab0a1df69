/**
 * Everything that moves blobs, at random and at once: pushes, mounts, tags that move, indexes, artifacts that refer to images, deletes,
 * half uploads; with two collectors that know no grace, and two that write the copies of manifests and tags. At the end nothing is
 * missing, nothing leaked, and the copies are right.
 */
import { OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Collector } from './gc'
import { RecordKeeper } from './records/keeper'
import { FilesystemStore } from './store/filesystem'
import { storeAgrees } from './testing/agrees'
import { type Fixture, startFixture } from './testing/fixture'
import { recordsAgree } from './testing/records'

const HOUR = 3_600_000
let f: Fixture
let store: FilesystemStore
beforeAll(async () => {
  f = await startFixture()
  store = new FilesystemStore(f.root)
})
afterAll(() => f.close())

/** The same numbers again for the same seed, which a failure tells. */
function randomOf(seed: number) {
  let state = seed
  return (n: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}

const collector = (graceMs: number) => new Collector({ db: f.db, store, log: pino({ level: 'silent' }), busyUploads: new Set(), graceMs })

const keeper = () => new RecordKeeper({ db: f.db, store, log: pino({ level: 'silent' }) })

it('loses nothing and leaks nothing', async () => {
  const seed = Date.now() % 1_000_000
  const repositories = ['acme/r1', 'acme/r2', 'rival/r3']
  let stop = false
  const collecting = [0, 1].map(async () => {
    while (!stop) await collector(0).collect()
  })
  const keeping = [0, 1].map(async () => {
    while (!stop) if ((await keeper().keep()) === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  })
  const put = async (name: string, reference: string, mediaType: string, document: object) => {
    const body = JSON.stringify({ schemaVersion: 2, mediaType, ...document })
    const answer = await f.call('PUT', `/v2/${name}/manifests/${reference || digestBytes(body)}`, {
      headers: { 'content-type': mediaType },
      body,
    })
    await answer.arrayBuffer()
    // With no grace a link may go between blob and manifest: refused, never accepted with a hole.
    if (answer.status !== 201) expect([404, 400]).toContain(answer.status)
    return answer.status === 201 ? { digest: digestBytes(body), size: body.length } : undefined
  }
  const worker = async (name: string, number: number) => {
    const random = randomOf(seed + number)
    const images: { digest: string; size: number }[] = []
    const any = () => images[random(Math.max(1, images.length))]
    const tag = () => `t${random(3)}`
    const deeds = [
      async () => {
        const pushed = await f.push(name, tag(), [`layer ${random(8)}`, `layer ${random(8)}`]).catch((error: unknown) => {
          expect(String(error)).toContain('MANIFEST_BLOB_UNKNOWN')
          return undefined
        })
        if (pushed) images.push({ digest: pushed.digest, size: pushed.manifest.length })
      },
      async () => {
        const from = repositories[random(3)] ?? name
        const digest = digestBytes(`layer ${random(8)}`)
        const access = [name, from].map((one) => ({ type: 'repository' as const, name: one, actions: ['pull' as const, 'push' as const] }))
        const mounted = await f.call('POST', `/v2/${name}/blobs/uploads/?mount=${digest}&from=${from}`, { token: await f.sign(access) })
        expect([201, 202]).toContain(mounted.status)
      },
      async () => {
        const [one, two] = [any(), any()]
        if (!one || !two) return
        const manifests = [one, two].map((image) => ({ mediaType: OCI_MANIFEST, ...image }))
        const index = await put(name, tag(), OCI_INDEX, { manifests })
        if (index) images.push(index)
      },
      async () => {
        const subject = any()
        if (!subject) return
        const document = `about ${random(5)}`
        await f.call('POST', `/v2/${name}/blobs/uploads/?digest=${digestBytes(document)}`, { body: document })
        const described = { mediaType: 'text/plain', digest: digestBytes(document), size: document.length }
        await put(name, '', OCI_MANIFEST, {
          artifactType: 'text/plain',
          config: described,
          layers: [described],
          subject: { mediaType: OCI_MANIFEST, ...subject },
        })
      },
      async () => {
        const image = any()
        if (image) await f.call('DELETE', `/v2/${name}/manifests/${image.digest}`)
      },
      () => f.call('DELETE', `/v2/${name}/manifests/${tag()}`),
      async () => {
        const location = (await f.call('POST', `/v2/${name}/blobs/uploads/`)).headers.get('location') ?? ''
        await f.call('PATCH', location, { body: 'never ended' })
      },
    ]
    for (let i = 0; i < 30; i++) await deeds[[0, 0, 0, 1, 2, 3, 4, 5, 6][random(9)] ?? 0]?.()
  }
  try {
    await Promise.all(repositories.map(worker))
  } finally {
    stop = true
    await Promise.all([...collecting, ...keeping])
  }
  await storeAgrees(f, store, `seed ${seed}`)
  await keeper().keep()
  await recordsAgree(f.db, store, `seed ${seed}`)
  // What nothing needs is all gone a day later, also the halves; and still nothing is missing.
  await collector(HOUR).collect(Date.now() + 25 * HOUR)
  const { files, needed } = await storeAgrees(f, store, `seed ${seed}`)
  expect(files, `seed ${seed}`).toEqual(needed)
  for await (const { uploadId } of store.uploads()) expect.unreachable(`leaked ${uploadId}, seed ${seed}`)
  expect(await f.db.upload.count()).toBe(0)
}, 60_000)
