import { reconcileUsage } from '@slipway/db'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

const HOUR = 3_600_000
let h: Harness
/** The installation's first organization, and another one. */
let first: Scope
let other: Scope
beforeAll(async () => {
  h = await createHarness()
  first = await h.organization('Ada', 'acme')
  other = await h.organization('Eve', 'rival')
})
afterAll(() => h.close())

const hex = (n: number) => `sha256:${n.toString(16).padStart(64, '0')}`

const MANIFEST = 50

/** A repository that links blobs (number → bytes); `used` of them are layers of one image, whose manifest has 50 bytes. */
async function repository(scope: Scope, name: string, blobs: Record<number, number>, used: number[]) {
  const { repositoryId, digest } = await h.image(scope, name, { digest: hex(Object.keys(blobs).length * 1_000_000 + name.length) })
  const manifest = await h.db.manifest.findFirstOrThrow({ where: { repositoryId, digest } })
  for (const [n, size] of Object.entries(blobs)) {
    const blob = hex(Number(n))
    await h.db.blob.upsert({ where: { digest: blob }, create: { digest: blob, size }, update: {} })
    await h.db.repositoryBlob.create({ data: { repositoryId, digest: blob, size } })
  }
  await h.db.manifest.update({ where: { id: manifest.id }, data: { size: MANIFEST } })
  await h.db.manifestLayer.deleteMany({ where: { manifestId: manifest.id } })
  await h.db.manifestLayer.createMany({
    data: used.map((n, position) => ({
      manifestId: manifest.id,
      position: position + 10,
      digest: hex(n),
      mediaType: 'x',
      size: blobs[n] ?? 0,
    })),
  })
  return repositoryId
}

it('says of an organization only what is its own, with parts that add up', async () => {
  await repository(first, 'api', { 1: 1000, 2: 200, 3: 30 }, [1, 2])
  await repository(first, 'web', { 1: 1000, 4: 7 }, [1, 4])
  await repository(other, 'theirs', { 1: 1000, 3: 30, 5: 5000 }, [1, 3, 5])
  const mine = await h.services.storage.get(first)
  expect(mine).toMatchObject({
    total: { blobs: 4, bytes: 1237 + 2 * MANIFEST },
    manifests: { count: 2, bytes: 2 * MANIFEST },
    uses: { single: { bytes: 207 }, shared: { bytes: 1000 }, cache: { bytes: 0 }, unused: { blobs: 1, bytes: 30 } },
    withoutSharing: 2237 + 2 * MANIFEST,
    repositories: 2,
    sharedLayers: [{ digest: hex(1), repositories: 2, images: 2 }],
    damaged: [],
    lastVerified: null,
    runsStore: true,
  })
  // The same number wherever it is shown.
  const { items: all } = await h.services.storage.repositories(first, { by: 'bytes', limit: 9 })
  const listed = await h.services.images.repositories(first, { sort: 'size', order: 'desc', limit: 9 })
  expect(listed.items.map(({ name, size }) => [name, size])).toEqual(all.map(({ name, bytes }) => [name, bytes]))
  const whole = await h.services.storage.installation(first)
  for (const scope of [first, other]) {
    const { bytes } = await h.services.policies.quota(scope)
    expect((await h.services.storage.get(scope)).total.bytes).toBe(bytes)
    expect(whole.organizations.find(({ slug }) => slug === scope.organization)?.bytes).toBe(bytes)
  }
  expect(await reconcileUsage(h.db)).toBe(0)
  // That rival needs blob 3 too must not show: acme is told what goes from its own.
  const { items, total } = await h.services.storage.collectable(first)
  expect(total).toEqual({ blobs: 1, bytes: 30 })
  expect(items).toMatchObject([{ digest: hex(3), size: 30, repository: 'api', repositories: 1 }])
  expect(items[0]?.goesAt.getTime()).toBeGreaterThan(Date.now() + 0.9 * HOUR)
  expect(JSON.stringify(await h.services.storage.get(other))).not.toMatch(/acme|api/)
})

it('pages through repositories by what they have, what only they have, and what none needs', async () => {
  const page = (input: { by: 'bytes' | 'only' | 'unused'; cursor?: string; limit?: number }) =>
    h.services.storage.repositories(first, { limit: 1, ...input })
  expect(await page({ by: 'bytes' })).toMatchObject({ items: [{ name: 'api', bytes: 1280, only: 280, unused: 30 }], next: 'api', total: 2 })
  expect(await page({ by: 'bytes', cursor: 'api' })).toMatchObject({ items: [{ name: 'web', bytes: 1057, only: 57 }], next: null })
  expect((await page({ by: 'unused' })).items).toMatchObject([{ name: 'api' }])
})

it('tells of damaged blobs to those who have them, with what they are part of', async () => {
  await h.db.blob.update({ where: { digest: hex(2) }, data: { damagedAt: new Date() } })
  expect((await h.services.storage.get(first)).damaged).toMatchObject([{ digest: hex(2), size: 200, repository: 'api', images: 1 }])
  expect((await h.services.storage.get(other)).damaged).toEqual([])
})

it('shows the whole store and has it verified for those only who run the installation', async () => {
  const { storage } = h.services
  expect(await storage.installation(first)).toMatchObject({
    total: { blobs: 5, bytes: 6237 },
    manifests: { count: 3, bytes: 3 * MANIFEST },
    shared: { blobs: 2, bytes: 1030 },
    organizations: [
      { slug: 'rival', bytes: 6030 + MANIFEST, only: 5000 + MANIFEST },
      { slug: 'acme', bytes: 1237 + 2 * MANIFEST, only: 207 + 2 * MANIFEST },
    ],
    store: null,
  })
  for (const refused of [other, { ...first, role: 'developer' as const }]) {
    await expect(storage.installation(refused)).rejects.toMatchObject({ kind: 'forbidden' })
    await expect(storage.verify(refused, { repair: false })).rejects.toMatchObject({ kind: 'forbidden' })
    expect((await storage.get(refused)).runsStore).toBe(false)
  }
  const started = await storage.verify(first, { repair: true, mibPerSecond: 10 })
  expect(started).toMatchObject({ state: 'queued', repair: true, requestedBy: 'Ada', totalBlobs: 5, totalBytes: 6237 })
  await expect(storage.verify(first, { repair: false })).rejects.toMatchObject({ code: 'VERIFICATION_RUNS' })
  await expect(storage.cancelVerification(other, { id: started.id })).rejects.toMatchObject({ kind: 'forbidden' })
  expect(await storage.cancelVerification(first, { id: started.id })).toMatchObject({ state: 'cancelled' })
  const told = await h.db.auditEvent.findMany({ where: { targetId: started.id }, orderBy: { id: 'asc' } })
  expect(told.map((event) => event.action)).toEqual(['registry.verify', 'registry.verifyCancel'])
  await expect(storage.verification(first, { id: 'ver_unknown' })).rejects.toMatchObject({ code: 'VERIFICATION_NOT_FOUND' })
})
