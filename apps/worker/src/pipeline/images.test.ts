/** What the token opens that a host pulls with. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { newId } from '@slipway/core'
import { setRepositoryName } from '@slipway/db'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Deps } from '../deps'
import { openCache } from './execute'
import { ensureImage } from './images'
import { exactImage, pullAccess } from './registry-access'

const DIGEST = `sha256:${'a'.repeat(64)}`
/** What the tags of the registry name. */
const TAGGED = `sha256:${'c'.repeat(64)}`
const never = new AbortController().signal
let database: TestDatabase
let deps: Deps
/** What our registry was asked, and by what access. */
let lookups: { asked: string; access: unknown }[] = []
const accessOf = (token = '') => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).access
const registry = createServer((request, response) => {
  if (!request.headers.authorization) return void response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://x/token"' }).end()
  lookups.push({ asked: `${request.method} ${request.url}`, access: accessOf(request.headers.authorization?.replace('Bearer ', '')) })
  if (request.url?.endsWith('/absent') || request.url?.includes('/nocache/')) return void response.writeHead(404).end()
  if (request.url?.endsWith('/away'))
    return void response.writeHead(503).end(JSON.stringify({ errors: [{ code: 'UNAVAILABLE', message: 'docker.io does not answer.' }] }))
  response.writeHead(200, { 'docker-content-digest': TAGGED }).end()
})
beforeAll(async () => {
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  database = await createTestDatabase()
  const registryKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const SLIPWAY_REGISTRY_URL = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`
  deps = { db: database.db, env: { registryKey, SLIPWAY_REGISTRY_URL } } as unknown as Deps
  const organizationId = newId('organization')
  await database.db.organization.create({ data: { id: organizationId, slug: 'acme', name: 'acme' } })
  const repository = await database.db.repository.create({ data: { id: newId('repository'), organizationId, name: 'before' } })
  await database.db.$transaction((tx) => setRepositoryName(tx, repository, 'after'))
  await database.db.upstream.deleteMany()
  for (const [host, enabled] of [
    ['docker.io', true],
    ['quay.io', false],
  ] as const)
    await database.db.upstream.create({ data: { id: newId('upstream'), host, url: `https://${host}`, limitBytes: 1n, enabled } })
})
afterAll(async () => {
  registry.close()
  await database.drop()
})
beforeEach(() => {
  lookups = []
})

/** What the host's token opens. */
const access = async (reference: string, organization: string | null = 'acme') => {
  const { token } = await exactImage(deps, await pullAccess(deps, organization, reference), never)
  return token === undefined ? undefined : accessOf(token)
}
const pull = ['pull']
const imageOf = (name: string, digest = TAGGED) => ({ type: 'image', name, digest, actions: pull })

describe('the token that a host pulls with', () => {
  it('opens the image that is deployed, and nothing else of its repository', async () => {
    expect(await access(`slipway.local/acme/shop@${DIGEST}`)).toEqual([imageOf('acme/shop', DIGEST)])
    expect(await access(`slipway.local/acme/shop:v1@${DIGEST}`)).toEqual([imageOf('acme/shop', DIGEST)])
    expect(lookups).toEqual([])
  })

  it('opens it under the new name of its repository too', async () => {
    expect(await access(`slipway.local/acme/before@${DIGEST}`)).toEqual([imageOf('acme/before', DIGEST), imageOf('acme/after', DIGEST)])
  })

  it('opens one image of an upstream, also where its digest is not known before', async () => {
    expect(await access(`docker.io/library/nginx@${DIGEST}`)).toEqual([imageOf('docker.io/library/nginx', DIGEST)])
    expect(lookups).toEqual([])
    expect(await access('nginx:1')).toEqual([imageOf('docker.io/library/nginx')])
    // The token that opens the repository is the worker's, and stays here.
    const whole = { type: 'repository', name: 'docker.io/library/nginx', actions: pull }
    expect(lookups).toEqual([{ asked: 'HEAD /v2/docker.io/library/nginx/manifests/1', access: [whole] }])
  })

  it('opens what a tag names now, where a tag was asked for', async () => {
    expect(await access('slipway.local/acme/shop:v1')).toEqual([imageOf('acme/shop')])
    expect(await access('slipway.local/base/node')).toEqual([imageOf('base/node')])
    expect(await access('slipway.local/acme/before:1')).toEqual([imageOf('acme/before'), imageOf('acme/after')])
    await expect(access('slipway.local/acme/shop:absent')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN', kind: 'not-found' })
  })

  it('opens the build cache alone to a build that leaves nothing there', async () => {
    const reference = 'slipway.local/acme/shop:slipway-build-cache'
    const open = async (cache: Parameters<typeof openCache>[1]) => {
      const opened = await openCache(deps, cache, never)
      return { cache: opened.cache, access: opened.token && accessOf(opened.token) }
    }
    expect(await open({ from: [reference] })).toEqual({
      cache: { from: [`slipway.local/acme/shop@${TAGGED}`] },
      access: [imageOf('acme/shop')],
    })
    const to = { reference, mode: 'min' as const }
    const both = { type: 'repository', name: 'acme/shop', actions: ['pull', 'push'] }
    expect(await open({ from: [reference], to })).toEqual({ cache: { from: [reference], to }, access: [both] })
    expect(await open({ from: ['slipway.local/acme/nocache:slipway-build-cache'] })).toEqual({ cache: { from: [] }, access: undefined })
    const absent = { reference: 'slipway.local/acme/nocache:slipway-build-cache', mode: 'min' as const }
    expect(await open({ from: [absent.reference], to: absent }), 'the first build').toEqual({
      cache: { from: [], to: absent },
      access: [{ ...both, name: 'acme/nocache' }],
    })
    expect(await open({ write: false })).toEqual({ cache: { write: false }, access: undefined })
  })
})

describe('a pull', () => {
  const image = { Id: `sha256:${'b'.repeat(64)}`, Size: 1, Os: 'linux', Architecture: 'amd64', RepoDigests: [], Config: {} }
  const world = () => {
    const here = new Map<string, typeof image>()
    const pulls: { name: string; access: unknown }[] = []
    const docker = {
      getImage: (name: string) => ({
        inspect: async () => {
          const found = here.get(name)
          if (!found) throw Object.assign(new Error('no such image'), { statusCode: 404 })
          return found
        },
        tag: async ({ repo, tag }: { repo: string; tag: string }) => void here.set(`${repo}:${tag}`, here.get(name) as typeof image),
      }),
      pull: async (name: string, { authconfig }: { authconfig: { registrytoken: string } }) => {
        pulls.push({ name, access: accessOf(authconfig.registrytoken) })
        here.set(name, image)
        return Readable.from([Buffer.from(`${JSON.stringify({ status: `Digest: ${TAGGED}` })}\n`)])
      },
    }
    return { here, pulls, engine: { ...deps, agent: { docker } } as unknown as Deps }
  }

  it('of a deployment through an upstream is of exactly the image that its tag names, and the host knows it by the tag too', async () => {
    const { here, pulls, engine } = world()
    const name = 'slipway.local/docker.io/library/nginx'
    expect(await ensureImage(engine, 'acme', 'nginx:1', never)).toMatchObject({ name: `${name}:1`, id: image.Id, digest: TAGGED })
    expect(pulls).toEqual([{ name: `${name}@${TAGGED}`, access: [imageOf('docker.io/library/nginx')] }])
    expect([...here.keys()]).toEqual([`${name}@${TAGGED}`, `${name}:1`])
    // As the deployment names it from then on.
    expect(await ensureImage(engine, 'acme', `nginx@${TAGGED}`, never)).toMatchObject({ id: image.Id })
    expect(pulls).toHaveLength(1)
  })

  it('takes what is here when the registry cannot be asked, and otherwise says why', async () => {
    const { here, pulls, engine } = world()
    here.set('slipway.local/docker.io/library/nginx:away', image)
    expect(await ensureImage(engine, 'acme', 'nginx:away', never)).toMatchObject({ id: image.Id })
    const failing = (reference: string) => ensureImage(engine, 'acme', reference, never)
    await expect(failing('redis:away')).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
      message: expect.stringMatching(/slipway\.local answered 503.*docker\.io does not answer/),
    })
    await expect(failing('redis:absent')).rejects.toMatchObject({ message: expect.stringContaining('there is no slipway.local/docker.io') })
    await expect(failing('slipway.local/base/absent:absent')).rejects.toMatchObject({ message: expect.stringContaining('base-images') })
    expect(pulls).toEqual([])
  })
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
    expect(await stranger('slipway.local/acme/node:22')).toEqual([imageOf('acme/node')])
    expect(await stranger('slipway.local/base/busybox')).toEqual([imageOf('base/busybox')])
  })

  it('opens no repository by its old name', async () => {
    await refused('slipway.local/acme/before:1')
    await visible('after', 'public')
    expect(await stranger('slipway.local/acme/before:1')).toContainEqual(imageOf('acme/after'))
    await visible('after', 'private')
  })

  it('goes through no upstream that has credentials, also one that the organization may use', async () => {
    const { id: organizationId } = await database.db.organization.findFirstOrThrow()
    const upstream = { host: 'ghcr.io', url: 'https://ghcr.io', limitBytes: 1n, secret: new Uint8Array(1) }
    const { id: upstreamId } = await database.db.upstream.create({ data: { id: newId('upstream'), ...upstream } })
    await database.db.upstreamShare.create({ data: { upstreamId, organizationId } })
    expect(await access('ghcr.io/acme/private:1')).toHaveLength(1)
    expect(await pullAccess(deps, null, 'ghcr.io/acme/private:1')).toMatchObject({ own: false, repositories: [], direct: 'ghcr.io' })
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
