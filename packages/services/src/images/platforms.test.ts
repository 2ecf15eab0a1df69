/** An index and the images of its platforms, as their pages show them. */
import { randomUUID } from 'node:crypto'
import { OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let acme: Scope
beforeAll(async () => {
  h = await createHarness()
  acme = await h.organization('Ada', 'acme')
})
afterAll(() => h.close())

it('leads from one platform to the others, and to what they are together', async () => {
  const { organizationId } = acme
  const repository = await h.db.repository.create({ data: { id: `rep_${randomUUID()}`, organizationId, name: 'shop' } })
  const put = async (mediaType: string, more: object) => {
    const digest = digestBytes(randomUUID())
    const rest = { mediaType, content: new Uint8Array(1), size: 1, totalSize: 1n, pushedBy: 'system:worker' }
    const data = { id: `man_${randomUUID()}`, repositoryId: repository.id, organizationId, digest, ...rest, ...more }
    await h.db.manifest.create({ data })
    return { digest, id: data.id }
  }
  const amd = await put(OCI_MANIFEST, { os: 'linux', architecture: 'amd64' })
  const arm = await put(OCI_MANIFEST, { os: 'linux', architecture: 'arm' })
  const children = [
    { position: 0, digest: amd.digest, os: 'linux', architecture: 'amd64' },
    { position: 1, digest: arm.digest, os: 'linux', architecture: 'arm', variant: 'v7' },
  ]
  const index = await put(OCI_INDEX, { children: { create: children } })
  await h.db.tag.create({ data: { repositoryId: repository.id, name: 'v1', manifestId: index.id, pushedBy: 'system:worker' } })
  const platforms = [
    { digest: amd.digest, platform: 'linux/amd64' },
    { digest: arm.digest, platform: 'linux/arm/v7' },
  ]
  const get = (reference: string) => h.services.images.get(acme, { repository: 'shop', reference })
  expect(await get('v1')).toMatchObject({ digest: index.digest, index: null, children: platforms })
  expect(await get(arm.digest)).toMatchObject({ index: { reference: 'v1', platforms }, children: [] })
  await expect(h.services.images.delete(acme, { repository: 'shop', reference: arm.digest })).rejects.toMatchObject({
    code: 'IMAGE_IN_INDEX',
  })
  const { items } = await h.services.images.tags(acme, { repository: 'shop', limit: 10 })
  expect(items[0]).toMatchObject({ name: 'v1', platforms: ['linux/amd64', 'linux/arm/v7'] })
})
