/** What the token opens that a host pulls with. */
import { generateKeyPairSync } from 'node:crypto'
import { newId } from '@slipway/core'
import { setRepositoryName } from '@slipway/db'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Deps } from '../deps'
import { pullAccess } from './images'

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

const access = async (reference: string) => {
  const { token } = await pullAccess(deps, 'acme', reference)
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
