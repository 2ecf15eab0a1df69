/** What the token opens that a host pulls with. */
import { generateKeyPairSync } from 'node:crypto'
import { Readable } from 'node:stream'
import { newId } from '@slipway/core'
import { setRepositoryName } from '@slipway/db'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Deps } from '../deps'
import { ensureImage, pullAccess } from './images'

const DIGEST = `sha256:${'a'.repeat(64)}`
let database: TestDatabase
let deps: Deps
beforeAll(async () => {
  database = await createTestDatabase()
  const registryKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  deps = { db: database.db, env: { registryKey } } as unknown as Deps
  const organizationId = newId('organization')
  await database.db.organization.create({ data: { id: organizationId, slug: 'acme', name: 'acme' } })
  const repository = await database.db.repository.create({ data: { id: newId('repository'), organizationId, name: 'before' } })
  await database.db.$transaction((tx) => setRepositoryName(tx, repository, 'after'))
})
afterAll(() => database.drop())

const access = async (reference: string, organization: string | null = 'acme') => {
  const { token } = await pullAccess(deps, organization, reference)
  return token === undefined ? undefined : JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).access
}
const pull = ['pull']

it('opens the image that is deployed, and nothing else of its repository', async () => {
  expect(await access(`slipway.local/acme/shop@${DIGEST}`)).toEqual([{ type: 'image', name: 'acme/shop', digest: DIGEST, actions: pull }])
  expect(await access(`slipway.local/acme/shop:v1@${DIGEST}`)).toEqual([
    { type: 'image', name: 'acme/shop', digest: DIGEST, actions: pull },
  ])
})

it('opens it under the new name of its repository too', async () => {
  expect(await access(`slipway.local/acme/before@${DIGEST}`)).toEqual([
    { type: 'image', name: 'acme/before', digest: DIGEST, actions: pull },
    { type: 'image', name: 'acme/after', digest: DIGEST, actions: pull },
  ])
})

it('opens the repository for pulls where a tag has to be looked up', async () => {
  expect(await access('slipway.local/acme/shop:v1')).toEqual([{ type: 'repository', name: 'acme/shop', actions: pull }])
})

describe('for a stranger, as a fork’s pull request is', () => {
  const stranger = (reference: string) => access(reference, null)
  const refused = (reference: string) => expect(stranger(reference)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' })
  const visible = (name: string, visibility: 'private' | 'internal' | 'public') =>
    database.db.repository.updateMany({ where: { name }, data: { visibility } })

  it('opens what is public, and neither the organization’s own nor what accounts may read', async () => {
    const { id: organizationId } = await database.db.organization.findFirstOrThrow()
    await database.db.repository.create({ data: { id: newId('repository'), organizationId, name: 'node' } })
    for (const visibility of ['private', 'internal'] as const) {
      await visible('node', visibility)
      await refused('slipway.local/acme/node:22')
      await refused(`slipway.local/acme/node@${DIGEST}`)
    }
    await refused('slipway.local/acme/absent:1')
    await visible('node', 'public')
    expect(await stranger('slipway.local/acme/node:22')).toEqual([{ type: 'repository', name: 'acme/node', actions: pull }])
    expect(await stranger('slipway.local/base/busybox')).toEqual([{ type: 'repository', name: 'base/busybox', actions: pull }])
  })

  it('opens no repository by its old name', async () => {
    await refused('slipway.local/acme/before:1')
    await visible('after', 'public')
    expect(await stranger('slipway.local/acme/before:1')).toContainEqual({ type: 'repository', name: 'acme/after', actions: pull })
    await visible('after', 'private')
  })

  it('goes through no upstream that has credentials, also one that the organization may use', async () => {
    const { id: organizationId } = await database.db.organization.findFirstOrThrow()
    const upstream = { host: 'ghcr.io', url: 'https://ghcr.io', limitBytes: 1n, secret: new Uint8Array(1) }
    const { id: upstreamId } = await database.db.upstream.create({ data: { id: newId('upstream'), ...upstream } })
    await database.db.upstreamShare.create({ data: { upstreamId, organizationId } })
    expect(await access('ghcr.io/acme/private:1')).toHaveLength(1)
    expect(await pullAccess(deps, null, 'ghcr.io/acme/private:1')).toMatchObject({ own: false, token: undefined, direct: 'ghcr.io' })
    await database.db.upstream.update({ where: { id: upstreamId }, data: { secret: null } })
    expect(await stranger('ghcr.io/acme/private:1')).toHaveLength(1)
  })

  it('asks the other registry, whatever lies on the host under that name, and gives the image no name here', async () => {
    const pulls: { name: string; unnamed?: string }[] = []
    const image = { Id: `sha256:${'b'.repeat(64)}`, Size: 1, Os: 'linux', Architecture: 'amd64', RepoDigests: [], Config: {} }
    let answer: () => Readable = () => {
      throw Object.assign(new Error('denied'), { statusCode: 404 })
    }
    const docker = {
      getImage: () => ({ inspect: async () => image }),
      pull: async (name: string, { unnamed }: { unnamed?: string }) => {
        pulls.push({ name, ...(unnamed && { unnamed }) })
        return answer()
      },
    }
    const engine = { ...deps, agent: { docker } } as unknown as Deps
    const never = new AbortController().signal
    const name = 'quay.io/acme/private:1'
    expect(await ensureImage(engine, 'acme', name, never)).toMatchObject({ id: image.Id })
    expect(pulls).toEqual([])
    await expect(ensureImage(engine, null, name, never)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' })
    answer = () => Readable.from([Buffer.from(`${JSON.stringify({ status: `Digest: ${DIGEST}` })}\n`)])
    expect(await ensureImage(engine, null, name, never)).toMatchObject({ name, id: image.Id })
    expect(pulls).toEqual([
      { name, unnamed: '1' },
      { name, unnamed: '1' },
    ])
  })
})
