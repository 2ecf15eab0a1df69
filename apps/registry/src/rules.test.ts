/** Rules of tags and limits of organizations, as clients meet them. */
import { request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { newId } from '@slipway/core'
import { listTags, moveRepository, organizationUsage, reconcileUsage, repositoryFacts } from '@slipway/db'
import { OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Fixture, startFixture } from './testing/fixture'

let f: Fixture
let acme: string
let rival: string
beforeAll(async () => {
  f = await startFixture()
  acme = (await f.db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })).id
  rival = (await f.db.organization.findUniqueOrThrow({ where: { slug: 'rival' } })).id
})
afterAll(() => f.close())

const errorOf = async (response: Response) => {
  const { errors } = (await response.json()) as { errors: { code: string; message: string; detail: unknown }[] }
  return { status: response.status, ...errors[0] }
}
const as = (sub: string, name: string) => f.sign([{ type: 'repository', name, actions: ['pull', 'push', 'delete'] }], sub)
const put = async (name: string, tag: string, manifest: string, sub = f.people.dan.id) =>
  f.call('PUT', `/v2/${name}/manifests/${tag}`, { headers: { 'content-type': OCI_MANIFEST }, body: manifest, token: await as(sub, name) })

async function rule(data: { kind: 'immutable' | 'protected'; tags: string; repositories?: string; builds?: boolean; repository?: string }) {
  const { repository, ...rest } = data
  const repositoryId = repository
    ? (await f.db.repository.findFirstOrThrow({ where: { name: repository, organizationId: acme } })).id
    : null
  await f.db.tagRule.create({ data: { id: newId('tagRule'), organizationId: acme, repositoryId, ...rest } })
}

describe('tags', () => {
  beforeEach(async () => {
    await f.db.tagRule.deleteMany()
  })

  it('that are immutable are made once, and stay: not moved, not deleted, by nobody', async () => {
    await rule({ kind: 'immutable', tags: 'v*', repositories: 'im*' })
    const first = await f.push('acme/immutable', 'v1', ['one'])
    const second = await f.push('acme/immutable', 'main', ['two'])
    for (const sub of [f.people.dan.id, f.people.ada.id, 'system:worker']) {
      const refused = await errorOf(await put('acme/immutable', 'v1', second.manifest, sub))
      expect(refused).toMatchObject({ status: 403, code: 'DENIED', detail: { tag: 'v1', rule: 'v*', kind: 'immutable' } })
      expect(refused.message).toContain('immutable by the rule "v*" of acme')
    }
    expect((await put('acme/immutable', 'v1', first.manifest)).status, 'the same again').toBe(201)
    expect((await put('acme/immutable', 'v2', second.manifest)).status, 'a new one').toBe(201)
    expect((await put('acme/immutable', 'main', first.manifest)).status, 'what no rule matches').toBe(201)
    for (const reference of ['v1', first.digest]) {
      expect(await errorOf(await f.call('DELETE', `/v2/acme/immutable/manifests/${reference}`))).toMatchObject({
        status: 403,
        code: 'DENIED',
      })
    }
    const got = await f.call('GET', '/v2/acme/immutable/manifests/v1')
    expect(got.headers.get('docker-content-digest')).toBe(first.digest)
    const elsewhere = await f.push('acme/other', 'v1', ['one'])
    expect((await put('acme/other', 'v1', second.manifest)).status, `${elsewhere.digest}: another repository`).not.toBe(403)
  })

  it('that are immutable hold the parts of an index, too', async () => {
    const child = await f.push('acme/index', 'amd64', ['x'])
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [{ mediaType: OCI_MANIFEST, digest: child.digest, size: child.manifest.length }],
    })
    const headers = { 'content-type': OCI_INDEX }
    expect((await f.call('PUT', '/v2/acme/index/manifests/v1', { headers, body: index })).status).toBe(201)
    await rule({ kind: 'immutable', tags: 'v*', repository: 'index' })
    expect((await f.call('DELETE', '/v2/acme/index/manifests/amd64')).status).toBe(202)
    const refused = await errorOf(await f.call('DELETE', `/v2/acme/index/manifests/${child.digest}`))
    expect(refused).toMatchObject({ code: 'DENIED', detail: { tag: 'v1' } })
  })

  it('that are protected are for owners and admins, and for builds where the rule says so', async () => {
    const image = await f.push('acme/protected', 'dev', ['p'])
    await rule({ kind: 'protected', tags: 'main', repository: 'protected' })
    expect(await errorOf(await put('acme/protected', 'main', image.manifest))).toMatchObject({ code: 'DENIED', status: 403 })
    expect(await errorOf(await put('acme/protected', 'main', image.manifest, 'system:worker'))).toMatchObject({ code: 'DENIED' })
    expect((await put('acme/protected', 'main', image.manifest, f.people.ada.id)).status).toBe(201)
    const remove = async (sub: string) => f.call('DELETE', '/v2/acme/protected/manifests/main', { token: await as(sub, 'acme/protected') })
    expect((await remove(f.people.dan.id)).status).toBe(403)
    expect((await remove(f.people.ada.id)).status).toBe(202)
    await f.db.tagRule.updateMany({ data: { builds: true } })
    expect((await put('acme/protected', 'main', image.manifest, 'system:worker')).status).toBe(201)
    expect((await remove('system:worker')).status).toBe(403)
  })

  it('hold what calls itself a build cache, too, but for those that builds leave', async () => {
    const blobs = await f.push('acme/protected', 'base', ['layer of a cache'])
    await rule({ kind: 'protected', tags: '*', repository: 'protected' })
    const robot = await f.db.robot.create({
      data: { id: newId('robot'), organizationId: acme, name: 'ci', prefix: 'x', hash: 'cache', grants: [], createdBy: 'Ada' },
    })
    const cache = (n: number) =>
      JSON.stringify({ ...JSON.parse(blobs.manifest), artifactType: 'application/vnd.slipway.build-cache.v1', annotations: { n: `${n}` } })
    for (const sub of [f.people.dan.id, `robot:${robot.id}`, 'system:replication'])
      expect(await errorOf(await put('acme/protected', 'main', cache(1), sub)), sub).toMatchObject({ status: 403, code: 'DENIED' })
    for (const n of [2, 3]) expect((await put('acme/protected', 'slipway-build-cache', cache(n), 'system:worker')).status).toBe(201)
    // Not that of a build either, nor over it.
    expect((await put('acme/protected', 'main', cache(3))).status).toBe(403)
    expect((await put('acme/protected', 'slipway-build-cache', cache(4))).status).toBe(403)
  })

  it('of what calls itself a build cache are told and shown, whoever pushed it but a build', async () => {
    const blobs = await f.push('acme/shown', 'base', ['layer of a cache'])
    const { id } = await f.db.repository.findFirstOrThrow({ where: { name: 'shown', organizationId: acme } })
    const cache = (n: number) =>
      JSON.stringify({ ...JSON.parse(blobs.manifest), artifactType: 'application/vnd.slipway.build-cache.v1', annotations: { n: `${n}` } })
    const robot = await f.db.robot.create({
      data: { id: newId('robot'), organizationId: acme, name: 'ci2', prefix: 'x', hash: 'cache2', grants: [], createdBy: 'Ada' },
    })
    await f.db.auditEvent.deleteMany()
    await f.db.event.deleteMany()
    expect((await put('acme/shown', 'slipway-build-cache', cache(1), 'system:worker')).status).toBe(201)
    expect(await f.db.auditEvent.count()).toBe(0)
    expect((await put('acme/shown', 'latest', cache(2), f.people.dan.id)).status).toBe(201)
    expect((await put('acme/shown', 'robots', cache(3), `robot:${robot.id}`)).status).toBe(201)
    expect((await put('acme/shown', 'again', cache(1), f.people.dan.id)).status, 'the tag of a cache that a build left').toBe(201)
    const audit = await f.db.auditEvent.findMany({ where: { action: 'image.push' }, orderBy: { createdAt: 'asc' } })
    expect(audit.map((one) => one.targetLabel)).toEqual(['shown:latest', 'shown:robots', 'shown:again'])
    expect(await f.db.event.count({ where: { kind: 'push' } })).toBe(3)
    const { rows } = await listTags(f.db, acme, id, { limit: 9 })
    expect(rows.map((row) => row.name).sort()).toEqual(['again', 'base', 'latest', 'robots'])
    expect((await repositoryFacts(f.db, acme, [id])).get(id)?.tags).toBe(4)
    // What it replaces is no cache that nobody wants any more.
    expect((await put('acme/shown', 'latest', blobs.manifest, f.people.dan.id)).status).toBe(201)
    expect((await f.call('GET', `/v2/acme/shown/manifests/${digestBytes(cache(2))}`)).status).toBe(200)
  })

  it('that are immutable and new: of many pushes at once one wins', async () => {
    const images = await Promise.all(['1', '2', '3', '4'].map((n) => f.push('acme/race', `b${n}`, [`layer ${n}`])))
    await rule({ kind: 'immutable', tags: 'v*', repository: 'race' })
    const answers = await Promise.all(images.map((image) => put('acme/race', 'v1', image.manifest)))
    expect(answers.map((a) => a.status).sort()).toEqual([201, 403, 403, 403])
    const winner = images[answers.findIndex((a) => a.status === 201)]
    expect((await f.call('HEAD', '/v2/acme/race/manifests/v1')).headers.get('docker-content-digest')).toBe(winner?.digest)
  })
})

describe('limits', () => {
  const set = async (maxBytes: number | null, maxRepositories: number | null = null) => {
    const data = { maxBytes: maxBytes === null ? null : BigInt(maxBytes), maxRepositories, refusedAt: null }
    await f.db.organizationUsage.upsert({ where: { organizationId: rival }, create: { organizationId: rival, ...data }, update: data })
  }
  const limit = async (maxBytes: number | null, maxRepositories: number | null = null) => {
    await set(maxBytes, maxRepositories)
    // What the door remembers of before lets in a little longer.
    await new Promise((resolve) => setTimeout(resolve, 550))
  }
  const used = () => organizationUsage(f.db, rival)
  const blob = (name: string, content: string) =>
    f.call('POST', `/v2/${name}/blobs/uploads/?digest=${digestBytes(content)}`, { body: content })

  it('count each blob of an organization once, with every link that comes and goes', async () => {
    await f.push('rival/a', 'v1', ['x'.repeat(1000), 'y'.repeat(500)])
    const { bytes } = await used()
    const { manifest } = await f.push('rival/b', 'v1', ['x'.repeat(1000), 'y'.repeat(500)])
    expect(await used()).toMatchObject({ bytes: bytes + manifest.length, repositories: 2 })
    await f.push('rival/b', 'v2', ['z'.repeat(300)])
    const more = (await used()).bytes
    expect(more).toBeGreaterThan(bytes + 300)
    const b = await f.db.repository.findFirstOrThrow({ where: { organizationId: rival, name: 'b' } })
    await f.db.repository.delete({ where: { id: b.id } })
    expect(await used()).toMatchObject({ bytes, repositories: 1 })
    expect(await reconcileUsage(f.db)).toBe(0)
    await f.db.organizationUsage.update({ where: { organizationId: rival }, data: { bytes: 1n } })
    expect(await reconcileUsage(f.db)).toBe(1)
    expect((await used()).bytes).toBe(bytes)
  })

  it('refuse what would pass them, at the start and at the end, and nothing of it is kept', async () => {
    const { bytes } = await used()
    await limit(bytes + 1000)
    const refused = await errorOf(await blob('rival/a', 'b'.repeat(1001)))
    expect(refused).toMatchObject({
      status: 403,
      code: 'DENIED',
      detail: { what: 'bytes', used: bytes, limit: bytes + 1000, wanted: 1001 },
    })
    expect(refused.message).toMatch(/^rival uses .* Delete images, or ask an operator/)
    // In chunks, of which none says how long the whole will be.
    const location = (await f.call('POST', '/v2/rival/a/blobs/uploads/')).headers.get('location') ?? ''
    expect((await f.call('PATCH', location, { body: 'c'.repeat(900) })).status).toBe(202)
    expect((await errorOf(await f.call('PATCH', location, { body: 'c'.repeat(900) }))).code).toBe('DENIED')
    expect((await blob('rival/a', 'x'.repeat(1000))).status, 'what is there already costs nothing').toBe(201)
    expect((await used()).bytes).toBe(bytes)
    expect((await f.db.organizationUsage.findUniqueOrThrow({ where: { organizationId: rival } })).refusedAt).not.toBeNull()
    await limit(bytes)
    expect(await errorOf(await f.call('POST', '/v2/rival/a/blobs/uploads/'))).toMatchObject({ status: 403, code: 'DENIED' })
  })

  it('hold for a body of unknown length, which ends where the room does', async () => {
    const { bytes } = await used()
    await f.db.upload.deleteMany({ where: { organizationId: rival } })
    await limit(bytes + 1000)
    const chunked = async (content: string) =>
      fetch(`${f.base}/v2/rival/a/blobs/uploads/?digest=${digestBytes(content)}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${await f.sign([{ type: 'repository', name: 'rival/a', actions: ['push'] }])}` },
        body: new Blob([content]).stream(),
        duplex: 'half',
      } as RequestInit)
    const refused = await errorOf(await chunked('k'.repeat(5000)))
    // Not 5000: nobody waited for all of it.
    expect(refused).toMatchObject({ status: 403, code: 'DENIED', detail: { used: bytes, limit: bytes + 1000, wanted: 1001 } })
    expect((await chunked('x'.repeat(1000))).status, 'what is there already').toBe(201)
    expect((await used()).bytes).toBe(bytes)
  })

  it('count what open uploads have taken, each but in the others', async () => {
    const { bytes } = await used()
    await limit(bytes + 1000)
    const open = async () => (await f.call('POST', '/v2/rival/a/blobs/uploads/')).headers.get('location') ?? ''
    const [one, two] = [await open(), await open()]
    const patch = (location: string, length: number) => f.call('PATCH', location, { body: 'o'.repeat(length) })
    expect((await patch(one, 600)).status).toBe(202)
    expect(await errorOf(await patch(two, 600))).toMatchObject({ status: 403, detail: { used: bytes + 600, limit: bytes + 1000 } })
    expect((await errorOf(await blob('rival/a', 'p'.repeat(600)))).code).toBe('DENIED')
    expect((await patch(one, 400)).status, 'its own bytes once').toBe(202)
    expect(await open(), 'nothing is left').toBe('')
    expect((await f.call('DELETE', one)).status).toBe(204)
    expect((await patch(two, 600)).status).toBe(202)
    const content = 'o'.repeat(600)
    expect((await f.call('PUT', `${two}?digest=${digestBytes(content)}`)).status).toBe(201)
    expect((await used()).bytes).toBe(bytes + 600)
    expect(await f.db.upload.count({ where: { organizationId: rival } })).toBe(0)
  })

  describe('while bytes come', () => {
    const MIB = 1024 ** 2
    /** A body without a length, sent piece by piece as the test says. */
    const stream = async (path: string, method = 'PATCH') => {
      const authorization = `Bearer ${await f.sign([{ type: 'repository', name: 'rival/a', actions: ['push'] }])}`
      const sent = request(f.base + path, { method, headers: { authorization, 'transfer-encoding': 'chunked' } })
      let answer: number | undefined
      const answered = new Promise<{ status: number; code?: string; detail?: unknown }>((resolve, reject) => {
        sent.on('error', (error) => answer === undefined && reject(error))
        sent.on('response', async (response) => {
          answer = response.statusCode
          const text = await buffer(response)
          resolve({ status: answer ?? 0, ...(text.length > 0 && JSON.parse(text.toString()).errors[0]) })
        })
      })
      const send = async (mib: number) => {
        for (let left = mib; left > 0 && answer === undefined; left--)
          await new Promise<void>((resolve) => sent.write(Buffer.alloc(MIB, 'q'), () => resolve()))
      }
      return { send, end: () => sent.end(), answered, isAnswered: () => answer !== undefined }
    }
    const open = async () => (await f.call('POST', '/v2/rival/a/blobs/uploads/')).headers.get('location') ?? ''
    const onDisk = async () => {
      let bytes = 0
      for await (const { size } of f.store.uploads()) bytes += size
      return bytes
    }
    const only = async (room: number) => {
      for (const { id } of await f.db.upload.findMany({ where: { organizationId: rival } })) await f.store.discard(id)
      await f.db.upload.deleteMany({ where: { organizationId: rival } })
      const { bytes } = await used()
      await limit(bytes + room)
      return bytes
    }

    it('end an upload where it passes what is left now, and nothing of it is kept', async () => {
      const bytes = await only(1024 * MIB)
      const before = await onDisk()
      const location = await open()
      const upload = await stream(location)
      await upload.send(12)
      await expect.poll(onDisk).toBeGreaterThan(before + 8 * MIB)
      await set(bytes + 4 * MIB)
      await upload.send(200)
      expect(await upload.answered).toMatchObject({ status: 403, code: 'DENIED', detail: { what: 'bytes', limit: bytes + 4 * MIB } })
      await expect.poll(onDisk).toBe(before)
      expect((await f.call('GET', location)).status, 'the session has ended, and holds no room').toBe(404)
      await limit(null)
    })

    it('end an upload of an organization that had no limit when it began', async () => {
      await only(0)
      await set(null)
      const { bytes } = await used()
      await limit(null)
      const upload = await stream(await open())
      await upload.send(3)
      await limit(bytes + MIB)
      await upload.send(200)
      expect(await upload.answered).toMatchObject({ status: 403, code: 'DENIED' })
      await limit(null)
    })

    it.each(['PATCH', 'POST'])('let one of two pass that come at once by %s, as the other’s bytes count', async (method) => {
      const bytes = await only(20 * MIB)
      const before = await onDisk()
      const digest = digestBytes(Buffer.alloc(16 * MIB, 'q'))
      const path = method === 'PATCH' ? open : async () => `/v2/rival/a/blobs/uploads/?digest=${digest}`
      const uploads = [await stream(await path(), method), await stream(await path(), method)]
      let most = 0
      for (let mib = 0; mib < 16; mib++) {
        await Promise.all(uploads.map((one) => one.send(1)))
        most = Math.max(most, await onDisk())
      }
      for (const one of uploads) one.end()
      const answers = await Promise.all(uploads.map((one) => one.answered))
      expect(answers.map(({ status }) => status).sort()).toEqual([method === 'PATCH' ? 202 : 201, 403])
      expect(answers.find(({ status }) => status === 403)).toMatchObject({ code: 'DENIED', detail: { limit: bytes + 20 * MIB } })
      expect(most - before, 'the limit, and eight MiB of each').toBeLessThan(20 * MIB + 2 * 8 * MIB)
      expect((await used()).bytes).toBe(method === 'PATCH' ? bytes : bytes + 16 * MIB)
      await limit(null)
    })

    it('take no more of a blob that is there than it has', async () => {
      const content = 'there already'
      expect((await blob('rival/a', content)).status).toBe(201)
      await only(MIB)
      const upload = await stream(`/v2/rival/a/blobs/uploads/?digest=${digestBytes(content)}`, 'POST')
      await upload.send(200)
      expect(await upload.answered).toMatchObject({ status: 403, code: 'DENIED' })
      await limit(null)
    })
  })

  it('let in at once what a raised limit has room for', async () => {
    const { bytes } = await used()
    await limit(bytes)
    expect((await blob('rival/a', 'r'.repeat(1000))).status).toBe(403)
    await set(bytes + 2000)
    expect((await blob('rival/a', 'r'.repeat(1000))).status).toBe(201)
    await limit(bytes + 1000)
    const location = (await f.call('POST', '/v2/rival/a/blobs/uploads/')).headers.get('location')
    expect(location, 'no room for any').toBeNull()
    await set(bytes + 2000)
    const opened = (await f.call('POST', '/v2/rival/a/blobs/uploads/')).headers.get('location') ?? ''
    await set(bytes + 1001)
    expect((await f.call('PATCH', opened, { body: 's'.repeat(2) })).status).toBe(403)
    await set(null)
    expect((await f.call('PATCH', opened, { body: 's'.repeat(2) })).status).toBe(202)
  })

  it('are not passed by pushes that come at once', async () => {
    await f.db.upload.deleteMany({ where: { organizationId: rival } })
    const { bytes } = await used()
    await limit(bytes + 2500)
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => blob('rival/a', `${n}`.repeat(1000))))
    expect(answers.filter((a) => a.status === 201)).toHaveLength(2)
    expect((await used()).bytes).toBe(bytes + 2000)
    expect(await reconcileUsage(f.db)).toBe(0)
  })

  it('hold for mounts and for manifests of an organization that has too much', async () => {
    await f.db.repository.updateMany({ where: { organizationId: acme, name: 'immutable' }, data: { visibility: 'public' } })
    const { bytes } = await used()
    const big = 'm'.repeat(5000)
    await f.call('POST', `/v2/acme/immutable/blobs/uploads/?digest=${digestBytes(big)}`, { body: big })
    await limit(bytes + 100)
    const token = await f.sign([
      { type: 'repository', name: 'rival/a', actions: ['pull', 'push'] },
      { type: 'repository', name: 'acme/immutable', actions: ['pull'] },
    ])
    const mounted = await f.call('POST', `/v2/rival/a/blobs/uploads/?mount=${digestBytes(big)}&from=acme/immutable`, { token })
    expect(await errorOf(mounted)).toMatchObject({ status: 403, code: 'DENIED', detail: { wanted: 5000 } })
    await limit(bytes - 1)
    const head = await f.call('GET', '/v2/rival/a/manifests/v1')
    const again = await f.call('PUT', '/v2/rival/a/manifests/v3', { headers: { 'content-type': OCI_MANIFEST }, body: await head.text() })
    expect(await errorOf(again)).toMatchObject({ status: 403, code: 'DENIED' })
  })

  it('count manifests, which the database keeps: each where it is, until it goes', async () => {
    await limit(null)
    const before = (await used()).bytes
    const image = await f.push('rival/m', 'v1', ['of manifests'])
    const grown = async () => (await used()).bytes - before - 'of manifests'.length - (await sizeOf(image.config))
    const sizeOf = async (digest: string) => Number((await f.db.blob.findUniqueOrThrow({ where: { digest } })).size)
    expect(await grown()).toBe(image.manifest.length)
    expect((await put('rival/m', 'v2', image.manifest)).status, 'another tag of it').toBe(201)
    expect(await grown()).toBe(image.manifest.length)
    const spaced = image.manifest.replace('{', `{${' '.repeat(100_000)}`)
    expect((await put('rival/m', 'spaced', spaced)).status).toBe(201)
    expect(await grown()).toBe(image.manifest.length + spaced.length)
    // What an index names need not be there: nothing but its own bytes.
    const entry = { mediaType: OCI_MANIFEST, digest: digestBytes('not there'), size: 1 }
    const index = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: Array(100).fill(entry) })
    const headers = { 'content-type': OCI_INDEX }
    expect((await f.call('PUT', '/v2/rival/m/manifests/index', { headers, body: index })).status).toBe(201)
    expect(await grown()).toBe(image.manifest.length + spaced.length + index.length)
    for (const digest of [digestBytes(spaced), digestBytes(index)])
      expect((await f.call('DELETE', `/v2/rival/m/manifests/${digest}`)).status).toBe(202)
    expect(await grown()).toBe(image.manifest.length)

    // Refused where they pass the limit, with nothing of them kept.
    const { bytes } = await used()
    await limit(bytes + 50_000)
    const refused = await errorOf(await put('rival/m', 'spaced', spaced))
    expect(refused).toMatchObject({
      status: 403,
      code: 'DENIED',
      detail: { what: 'bytes', used: bytes, limit: bytes + 50_000, wanted: spaced.length },
    })
    expect((await f.call('GET', '/v2/rival/m/manifests/spaced')).status).toBe(404)
    expect((await put('rival/m', 'v3', image.manifest)).status, 'of what is there, a tag costs nothing').toBe(201)
    await limit(null)

    // To another organization and back they are counted there, and a wrong count is set right.
    const repository = await f.db.repository.findFirstOrThrow({ where: { organizationId: rival, name: 'm' } })
    const theirs = (await organizationUsage(f.db, acme)).bytes
    await f.db.$transaction((tx) => moveRepository(tx, repository, acme))
    expect((await used()).bytes).toBe(before)
    expect((await organizationUsage(f.db, acme)).bytes - theirs).toBe(bytes - before)
    expect(await reconcileUsage(f.db)).toBe(0)
    await f.db.organizationUsage.update({ where: { organizationId: acme }, data: { manifestBytes: 1n } })
    expect(await reconcileUsage(f.db)).toBe(1)
    expect((await organizationUsage(f.db, acme)).bytes - theirs).toBe(bytes - before)
    await f.db.repository.delete({ where: { id: repository.id } })
    expect((await organizationUsage(f.db, acme)).bytes).toBe(theirs)
    expect(await reconcileUsage(f.db)).toBe(0)
  })

  it('are not passed by manifests that come at once', async () => {
    const image = await f.push('rival/a', 'many', ['of many'])
    const { bytes } = await used()
    await limit(bytes + 25_000)
    const bodies = Array.from({ length: 8 }, (_, n) => image.manifest.replace('{', `{${' '.repeat(10_000 + n)}`))
    const answers = await Promise.all(bodies.map((body, n) => put('rival/a', `at-once-${n}`, body)))
    expect(answers.filter((a) => a.status === 201)).toHaveLength(2)
    expect(await reconcileUsage(f.db)).toBe(0)
    await limit(null)
  })

  it('count repositories', async () => {
    await limit(null, 1)
    const refused = await errorOf(await blob('rival/one-too-many', 'x'))
    expect(refused).toMatchObject({ status: 403, code: 'DENIED', detail: { what: 'repositories', used: 1, limit: 1 } })
    expect(await f.db.repository.count({ where: { organizationId: rival } })).toBe(1)
    await limit(null)
    expect((await blob('rival/one-too-many', 'x')).status).toBe(201)
  })
})
