import { digestBytes } from '@slipway/oci/node'
import { createSealer } from '@slipway/secrets'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Collector } from '../gc'
import { type Fixture, startFixture } from '../testing/fixture'
import { addUpstream, PlainUpstream } from '../testing/upstream'
import { UPSTREAM_OWNER } from './upstreams'

const sealer = createSealer(new Uint8Array(32).fill(3))
let fixture: Fixture
let upstream: PlainUpstream
let url: string
let name: string

beforeAll(async () => {
  fixture = await startFixture({ sealer, mirrorPort: 0, upstreamLimits: { headMs: 3000, idleMs: 3000 } })
})
afterAll(() => fixture.close())

beforeEach(async () => {
  upstream = new PlainUpstream()
  url = await upstream.start()
})
afterEach(() => upstream.stop())

const use = async (settings?: Parameters<typeof addUpstream>[2]) => {
  name = `${await addUpstream(fixture.db, url, settings)}/team/app`
}
const get = (path: string, headers?: Record<string, string>) => fixture.call('GET', `/v2/${name}/${path}`, headers ? { headers } : {})
const blob = () => get(`blobs/${upstream.layerDigest}`)
const bytes = async (response: Response) => Buffer.from(await response.arrayBuffer())
const row = () => fixture.db.upstream.findFirstOrThrow({ where: { url } })
const code = async (response: Response) => (await response.json()).errors[0].code

describe('what was pulled once', () => {
  it('is there when the upstream is not', async () => {
    await use()
    const first = await get('manifests/1')
    expect([first.status, first.headers.get('docker-content-digest'), first.headers.get('warning')]).toEqual([200, upstream.digest, null])
    expect(await bytes(first)).toEqual(upstream.manifest)
    expect((await bytes(await blob())).equals(upstream.layer)).toBe(true)
    expect((await get(`blobs/${digestBytes(upstream.config)}`)).status).toBe(200)
    await upstream.stop()

    const again = await get('manifests/1')
    expect([again.status, again.headers.get('warning')]).toEqual([200, '110 - "Response is Stale"'])
    expect((await get(`manifests/${upstream.digest}`)).headers.get('warning')).toBeNull()
    expect((await bytes(await blob())).equals(upstream.layer)).toBe(true)
    const part = await get(`blobs/${upstream.layerDigest}`, { range: 'bytes=10-19' })
    expect([part.status, await bytes(part)]).toEqual([206, upstream.layer.subarray(10, 20)])
    expect(await (await get('tags/list')).json()).toEqual({ name, tags: ['1'] })
    const other = await get('manifests/2')
    expect([other.status, other.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)])
    expect((await other.json()).errors[0].message).toMatch(/does not answer|cannot be reached|did not answer/)

    await fixture.settle()
    expect(await row()).toMatchObject({
      lastError: expect.stringContaining('127.0.0.1'),
      fetchedBytes: BigInt(upstream.layer.byteLength + upstream.config.byteLength),
    })
  })

  it('is asked for anew only after its time, and a digest never', async () => {
    await use({ revalidateMinutes: 5 })
    for (let i = 0; i < 3; i++) expect((await get('manifests/1')).status).toBe(200)
    for (let i = 0; i < 3; i++) expect((await get(`manifests/${upstream.digest}`)).status).toBe(200)
    expect(upstream.asked).toHaveLength(1)
  })

  it('moves with the tag, and goes with it', async () => {
    await use()
    await get('manifests/1')
    await get('manifests/1')
    expect(upstream.asked.slice(1)).toEqual(['HEAD /v2/team/app/manifests/1'])
    const moved = Buffer.from(upstream.manifest.toString().replace('{', '{ '))
    upstream.answers.set('manifests/1', (request, response) => {
      response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json', 'docker-content-digest': digestBytes(moved) })
      response.end(request.method === 'HEAD' ? undefined : moved)
    })
    expect((await get('manifests/1')).headers.get('docker-content-digest')).toBe(digestBytes(moved))
    upstream.answers.set('manifests/1', (_, response) => response.writeHead(404).end())
    expect((await get('manifests/1')).status).toBe(404)
    expect((await get(`manifests/${upstream.digest}`)).status).toBe(200)
    // "There is none" is believed for a while.
    const asked = upstream.asked.length
    expect((await get('manifests/1')).status).toBe(404)
    expect(upstream.asked).toHaveLength(asked)
  })
})

describe('one fetch', () => {
  it('serves fifty clients at once, also slow ones', async () => {
    await use()
    let release: () => void = () => undefined
    upstream.answers.set(`blobs/${upstream.layerDigest}`, (_, response) => {
      response.writeHead(200, { 'content-length': upstream.layer.byteLength })
      let sent = 100_000
      response.write(upstream.layer.subarray(0, sent))
      // A little now and then: it is slow and has not stopped, however long a busy machine takes over the others.
      const drip = setInterval(() => response.write(upstream.layer.subarray(sent, ++sent)), 100)
      release = () => {
        clearInterval(drip)
        response.end(upstream.layer.subarray(sent))
      }
    })
    const [manifests, early] = [Promise.all(Array.from({ length: 50 }, () => get('manifests/1'))), Array.from({ length: 25 }, () => blob())]
    expect((await manifests).every((response) => response.status === 200)).toBe(true)
    // The first ones have a head, and bytes, before the upstream is done; which they are is the network's to say.
    const first = await Promise.race(early)
    const reader = first.body?.getReader()
    expect((await reader?.read())?.value?.byteLength).toBeGreaterThan(0)
    const late = Array.from({ length: 25 }, () => blob())
    release()
    for (const response of [...(await Promise.all(early)).filter((one) => one !== first), ...(await Promise.all(late))]) {
      expect((await bytes(response)).equals(upstream.layer)).toBe(true)
    }
    await reader?.cancel()
    expect([upstream.count('GET', '/manifests/'), upstream.count('GET', '/blobs/')]).toEqual([1, 1])
  })

  it('is not needed for what another repository of the same upstream has, and is for what an organization has', async () => {
    await use()
    await get('manifests/1')
    await bytes(await blob())
    const other = `/v2/${name.split('/')[0]}/team/other`
    const config = `blobs/${digestBytes(upstream.config)}`
    // Named by no manifest that is known of there: the upstream is asked.
    expect((await get(config)).status).toBe(200)
    expect((await fixture.call('GET', `${other}/${config}`)).status).toBe(200)
    expect(upstream.count('GET', config)).toBe(2)
    expect((await fixture.call('GET', `${other}/manifests/1`)).status).toBe(200)
    const linked = await fixture.call('GET', `${other}/blobs/${upstream.layerDigest}`)
    expect((await bytes(linked)).equals(upstream.layer)).toBe(true)
    expect(upstream.count('GET', upstream.layerDigest)).toBe(1)
    const secret = await fixture.push('acme/private', '1', ['a layer of acme'])
    expect((await get(`blobs/${secret.layers[0]}`)).status).toBe(404)
  })
})

describe('a bad upstream', () => {
  it('cannot put in what is not what it claims, and its client is cut off', async () => {
    await use()
    const wrong = Buffer.from(upstream.layer)
    wrong[wrong.length - 1] = 0
    upstream.answers.set(`blobs/${upstream.layerDigest}`, (_, response) => response.end(wrong))
    await expect(blob().then(bytes)).rejects.toThrow()
    expect(
      await fixture.db.repositoryBlob.count({
        where: { digest: upstream.layerDigest, repository: { organization: { slug: name.split('/')[0] ?? '' } } },
      }),
    ).toBe(0)
    upstream.answers.clear()
    expect((await bytes(await blob())).equals(upstream.layer)).toBe(true)

    upstream.answers.set(`manifests/${digestBytes('x')}`, (_, response) => response.end(upstream.manifest))
    expect((await get(`manifests/${digestBytes('x')}`)).status).toBe(502)
  })

  it('that falls silent is given up, and the pull comes to an end', async () => {
    await use()
    upstream.answers.set(`blobs/${upstream.layerDigest}`, (_, response) => {
      response.writeHead(200, { 'content-length': upstream.layer.byteLength })
      response.write(upstream.layer.subarray(0, 1000))
    })
    await expect(blob().then(bytes)).rejects.toThrow()
    upstream.answers.set('manifests/1', () => undefined)
    const silent = await get('manifests/1')
    expect(silent.status).toBe(503)
  })

  it('leads to no address inside, nor to metadata', async () => {
    await use()
    upstream.answers.set(`blobs/${upstream.layerDigest}`, (_, response) =>
      response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
    )
    const response = await blob()
    expect(response.status).toBe(503)
    expect((await response.json()).errors[0].message).toContain('169.254.169.254')
  })

  it('inside this network is asked only where that is allowed', async () => {
    await use({ allowPrivate: false })
    const response = await get('manifests/1')
    expect([response.status, upstream.asked]).toEqual([503, []])
  })

  it('that wants fewer requests gets none for as long as it says', async () => {
    await use()
    await get('manifests/1')
    upstream.answers.set('manifests/1', (_, response) => response.writeHead(429, { 'retry-after': '100' }).end())
    expect((await get('manifests/1')).headers.get('warning')).toMatch(/^110/)
    const asked = upstream.asked.length
    expect((await get('manifests/1')).status).toBe(200)
    const other = await get('manifests/other')
    expect([other.status, Number(other.headers.get('retry-after'))]).toEqual([503, expect.any(Number)])
    expect(upstream.asked).toHaveLength(asked)
  })
})

describe('the cache', () => {
  it('lets go of what nobody pulled for longest, and gets it again', async () => {
    await use({ limitBytes: 800_000 })
    await get('manifests/1')
    await bytes(await blob())
    const [first, second] = [upstream.layerDigest, digestBytes(Buffer.alloc(400_000, 'other'))]
    upstream.answers.set(`blobs/${second}`, (_, response) => response.end(Buffer.alloc(400_000, 'other')))
    await bytes(await get(`blobs/${second}`))
    await fixture.settle()
    const kept = await fixture.db.repositoryBlob.findMany({
      where: { digest: { in: [first, second] }, repository: { organization: { slug: name.split('/')[0] ?? '' } } },
    })
    expect(kept.map(({ digest }) => digest)).toEqual([second])
    expect((await bytes(await blob())).equals(upstream.layer)).toBe(true)
  })

  it('takes no layer that is larger than all of it, and says so', async () => {
    await use({ limitBytes: 1000 })
    const response = await blob()
    expect([response.status, (await response.json()).errors[0].message]).toEqual([403, expect.stringContaining('Raise its limit')])
  })

  it('fetches again what is damaged or gone on disk', async () => {
    await use()
    await bytes(await blob())
    const { store } = fixture
    await store.remove(upstream.layerDigest)
    expect((await bytes(await blob())).equals(upstream.layer)).toBe(true)
    await fixture.db.blob.update({ where: { digest: upstream.layerDigest }, data: { damagedAt: new Date() } })
    expect((await bytes(await blob())).equals(upstream.layer)).toBe(true)
    expect(await fixture.db.blob.findUnique({ where: { digest: upstream.layerDigest } })).toMatchObject({ damagedAt: null })
    expect(upstream.count('GET', '/blobs/')).toBe(3)
  })

  it('is nobody’s to push to or delete from, and the collector leaves its images', async () => {
    await use()
    await get('manifests/1')
    await bytes(await blob())
    for (const [method, path] of [
      ['POST', 'blobs/uploads/'],
      ['PUT', 'manifests/1'],
      ['DELETE', 'manifests/1'],
    ] as const)
      expect((await fixture.call(method, `/v2/${name}/${path}`)).status).toBe(403)
    const { db, store } = fixture
    const collector = new Collector({ db, store, log: fixture.log, busyUploads: new Set(), graceMs: 0 })
    await collector.collect(Date.now() + 1000)
    await upstream.stop()
    expect((await bytes(await blob())).equals(upstream.layer)).toBe(true)
  })
})

describe('who may pull', () => {
  const token = async (scope: string, login?: { email: string; apiKey: string }, base = fixture.base) => {
    const headers = login ? { authorization: `Basic ${Buffer.from(`${login.email}:${login.apiKey}`).toString('base64')}` } : undefined
    const answer = await fetch(`${base}/token?service=slipway&scope=${encodeURIComponent(scope)}`, headers ? { headers } : {})
    return (await answer.json()).token as string
  }
  const pull = async (login?: { email: string; apiKey: string }) =>
    (await fixture.call('GET', `/v2/${name}/manifests/1`, { token: await token(`repository:${name}:pull,push,delete`, login) })).status

  it('of a public upstream every account, and nobody else unless that is said', async () => {
    await use()
    const { ada, eve } = fixture.people
    expect([await pull(ada), await pull(eve), await pull()]).toEqual([200, 200, 401])
    await fixture.db.upstream.updateMany({ where: { url }, data: { anonymous: true } })
    expect(await pull()).toBe(200)
    const push = await fixture.call('POST', `/v2/${name}/blobs/uploads/`, { token: await token(`repository:${name}:pull,push`, ada) })
    expect([push.status, await code(push)]).toEqual([401, 'DENIED'])
  })

  it('of one with credentials only organizations that they are shared with', async () => {
    const id = 'ups_with_credentials0'
    const secret = Uint8Array.from(sealer.seal('hunter2', { kind: 'upstream', organizationId: UPSTREAM_OWNER, id }))
    await use({ id, username: 'robot', secret, anonymous: true })
    const seen: (string | undefined)[] = []
    upstream.answers.set('manifests/1', (request, response) => {
      seen.push(request.headers.authorization)
      if (!request.headers.authorization) return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' })
      response.end(request.method === 'HEAD' ? undefined : upstream.manifest)
    })
    const { ada, eve } = fixture.people
    expect([await pull(ada), await pull(eve), await pull()]).toEqual([401, 401, 401])
    const acme = await fixture.db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })
    await fixture.db.upstreamShare.create({ data: { upstreamId: id, organizationId: acme.id } })
    expect([await pull(ada), await pull(eve), await pull()]).toEqual([200, 401, 401])
    expect(seen.at(-1)).toBe(`Basic ${Buffer.from('robot:hunter2').toString('base64')}`)
  })

  it('by the names that mirrors use', async () => {
    await use({ anonymous: true })
    const bearer = await token(`repository:${name}:pull`)
    const ns = new URL(url).host
    const headers = { authorization: `Bearer ${bearer}` }
    const asMirror = await fetch(`${fixture.base}/v2/team/app/manifests/1?ns=${ns}`, { headers })
    expect(asMirror.status).toBe(200)
    // The mirror's own port is docker.io's, whose upstream is somebody else's here.
    await fixture.db.upstream.update({ where: { host: 'docker.io' }, data: { url, allowPrivate: true, anonymous: true } })
    const mirror = `http://127.0.0.1:${fixture.mirrorPort}`
    const challenge = (await fetch(`${mirror}/v2/team/app/manifests/1`)).headers.get('www-authenticate')
    expect(challenge).toContain(`realm="${mirror}/token"`)
    const authorization = `Bearer ${await token('repository:team/app:pull', undefined, mirror)}`
    expect((await fetch(`${mirror}/v2/team/app/manifests/1`, { headers: { authorization } })).status).toBe(200)
  })

  it('is told what to do for one that is not set up', async () => {
    name = 'ghcr.io/team/app'
    const response = await get('manifests/1')
    expect([response.status, await response.json()]).toEqual([
      404,
      { errors: [expect.objectContaining({ message: expect.stringContaining('Settings → Upstreams') })] },
    ])
  })
})
