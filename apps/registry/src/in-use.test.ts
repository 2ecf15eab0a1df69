/** Deleting what runs: refused here as on the pages, whoever asks. */
import { newId } from '@slipway/core'
import { OCI_INDEX, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Fixture, startFixture } from './testing/fixture'

let f: Fixture
let organizationId: string
let appId: string
beforeAll(async () => {
  f = await startFixture()
  organizationId = (await f.db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })).id
  const project = await f.db.project.create({ data: { id: newId('project'), organizationId, slug: 'shop', name: 'Shop' } })
  appId = newId('app')
  await f.db.app.create({ data: { id: appId, organizationId, projectId: project.id, slug: 'till', name: 'Till', source: 'image' } })
})
afterAll(() => f.close())

let number = 0
async function deploy(imageDigest: string, state: 'serving' | 'starting' | 'retired') {
  number += 1
  const data = { id: newId('deployment'), organizationId, appId, number, kind: 'deploy', trigger: 'manual', actorLabel: 'Ada' } as const
  await f.db.deployment.create({ data: { ...data, state, imageReference: 'x', imageDigest, settings: {}, environment: new Uint8Array(1) } })
  if (state === 'serving') await f.db.app.update({ where: { id: appId }, data: { servingDeploymentId: data.id } })
}
const remove = async (reference: string, sub: string) => {
  const token = await f.sign([{ type: 'repository', name: 'acme/shop', actions: ['pull', 'delete'] }], sub)
  return f.call('DELETE', `/v2/acme/shop/manifests/${reference}`, { token })
}

it('refuses to delete an image that an app serves or is about to, itself or as a part of an index, and says which app', async () => {
  const image = await f.push('acme/shop', 'v1', ['one'])
  const next = await f.push('acme/shop', 'v2', ['two'])
  const part = await f.push('acme/shop', 'amd64', ['three'])
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [{ mediaType: OCI_MANIFEST, digest: part.digest, size: part.manifest.length }],
  })
  await f.call('PUT', '/v2/acme/shop/manifests/all', { headers: { 'content-type': OCI_INDEX }, body: index })
  await deploy(image.digest, 'serving')
  await deploy(next.digest, 'starting')
  const robot = `robot:${newId('robot')}`
  for (const digest of [image.digest, next.digest])
    for (const sub of [f.people.ada.id, f.people.dan.id, robot, 'system:worker']) {
      const refused = await remove(digest, sub)
      expect(refused.status).toBe(409)
      expect(await refused.json()).toEqual({
        errors: [
          {
            code: 'DENIED',
            message: 'This image runs in till. Deploy another one there first, then delete it.',
            detail: { apps: ['till'] },
          },
        ],
      })
    }
  // Somebody of another organization who was given the repository is not told what runs there.
  const outside = await remove(image.digest, f.people.eve.id)
  expect([outside.status, await outside.text()]).toEqual([409, expect.not.stringContaining('till')])
  expect((await f.call('GET', `/v2/acme/shop/manifests/${image.digest}`)).status).toBe(200)
  expect(await f.db.event.count({ where: { kind: 'delete' } })).toBe(0)
  // A tag is a name: the image stays without it.
  expect((await remove('v1', f.people.dan.id)).status).toBe(202)

  await deploy(digestBytes(index), 'serving')
  for (const digest of [digestBytes(index), part.digest]) expect((await remove(digest, f.people.dan.id)).status).toBe(409)
  expect((await remove(image.digest, f.people.dan.id)).status, 'what served before').toBe(202)
  await f.db.app.update({ where: { id: appId }, data: { servingDeploymentId: null } })
  // As the specification has it: a part may go before its index.
  for (const digest of [part.digest, digestBytes(index)]) expect((await remove(digest, f.people.dan.id)).status).toBe(202)
})
