// An organization of a size that lists must bear: 1,000 repositories, one of them with 10,000 tags. All of it is pushed to
// the registry as any client would, in some minutes; layers are shared by all, by a repository, and by nobody.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { StartError } from '../start/errors.mjs'

const REPOSITORIES = 1000
const TAGS = 10_000
const TAGS_ELSEWHERE = 5
const AT_ONCE = 16
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

/** @param {import('./client.mjs').Client} client @param {import('../start/settings.mjs').Settings} settings @param {(line: string) => void} say */
export async function large(client, settings, say) {
  const { organization } = await client.firstAccount({ name: 'Ada Lovelace', email: 'ada@example.com', organizationName: 'Acme' })
  const { key } = await client.mutate('me.apiKeys.create', { name: 'seed' })
  const push = createPusher(`http://127.0.0.1:${settings.ports.registry}`, key)
  const base = layerOf('base', 200_000)
  const names = Array.from({ length: REPOSITORIES }, (_, i) =>
    i === 0 ? 'large/history' : `team-${String(i % 40).padStart(2, '0')}/service-${String(i).padStart(4, '0')}`,
  )
  let pushed = 0
  await inTurn(names, AT_ONCE, async (name) => {
    const repository = `${organization}/${name}`
    const own = layerOf(name, 2_000 + ((pushed * 7919) % 60_000))
    const config = jsonBlob({
      architecture: 'amd64',
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      config: { Cmd: ['/service'], Labels: { service: name } },
      rootfs: { type: 'layers', diff_ids: [base.diffId, own.diffId] },
      history: [{ created_by: 'FROM base' }, { created_by: `COPY ${name} /service` }],
    })
    for (const blob of [base, own, config]) await push.blob(repository, blob)
    for (let i = 1; i <= TAGS_ELSEWHERE; i++) await push.manifest(repository, `1.0.${i}`, manifestOf(config, [base, own], `1.0.${i}`))
    if (++pushed % 200 === 0) say(`${pushed} repositories`)
    if (name === 'large/history') {
      const versions = Array.from({ length: TAGS - TAGS_ELSEWHERE }, (_, i) => `2.${Math.floor(i / 100)}.${i % 100}`)
      await inTurn(versions, 4, (version) => push.manifest(repository, version, manifestOf(config, [base, own], version)))
      say(`${TAGS} tags`)
    }
  })
}

/** @template T @param {T[]} items @param {number} atOnce @param {(item: T) => Promise<void>} work */
async function inTurn(items, atOnce, work) {
  const left = items.values()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of left) await work(item)
    }),
  )
}

const sha256 = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** A layer with one file that does not shrink. */
function layerOf(name, size) {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-seed-'))
  try {
    const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, i) => createHash('sha256').update(`${name} ${i}`).digest())
    writeFileSync(join(folder, 'service'), Buffer.concat(blocks))
    const tar = execFileSync('tar', ['-c', '--mtime=2026-01-01', '--owner=0', '--group=0', '-C', folder, 'service'], { maxBuffer: 64e6 })
    const bytes = gzipSync(tar)
    return { bytes, digest: sha256(bytes), diffId: sha256(tar) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function jsonBlob(value) {
  const bytes = Buffer.from(JSON.stringify(value))
  return { bytes, digest: sha256(bytes) }
}

const describe = (blob, mediaType) => ({ mediaType, digest: blob.digest, size: blob.bytes.length })

const manifestOf = (config, layers, version) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: describe(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => describe(layer, 'application/vnd.oci.image.layer.v1.tar+gzip')),
    annotations: { 'org.opencontainers.image.version': version },
  })

/** As much of a registry's client as a push needs. @param {string} registry @param {string} key */
function createPusher(registry, key) {
  /** @type {Map<string, { value: string, until: number }>} */
  const tokens = new Map()

  async function token(repository) {
    const kept = tokens.get(repository)
    if (kept && kept.until > Date.now()) return kept.value
    const scope = new URLSearchParams({ service: 'slipway', scope: `repository:${repository}:pull,push` })
    const headers = { authorization: `Basic ${Buffer.from(`seed:${key}`).toString('base64')}` }
    const { token: value } = await (await answer(fetch(`${registry}/token?${scope}`, { headers }), 200)).json()
    tokens.set(repository, { value, until: Date.now() + 120_000 })
    return value
  }

  async function answer(request, status) {
    const response = await request
    if (response.status === status) return response
    throw new StartError(`The registry answered ${response.status}.`, { detail: (await response.text()).slice(0, 2_000) })
  }

  const call = async (method, repository, path, status, body, type) =>
    answer(
      fetch(new URL(path, registry), {
        method,
        headers: { authorization: `Bearer ${await token(repository)}`, ...(type && { 'content-type': type }) },
        ...(body && { body }),
        signal: AbortSignal.timeout(60_000),
      }),
      status,
    )

  return {
    async blob(repository, { bytes, digest }) {
      const started = await call('POST', repository, `/v2/${repository}/blobs/uploads/`, 202)
      await started.arrayBuffer()
      const place = new URL(started.headers.get('location') ?? '', registry)
      place.searchParams.set('digest', digest)
      await (await call('PUT', repository, place.href, 201, bytes, 'application/octet-stream')).arrayBuffer()
    },
    async manifest(repository, tag, body) {
      await (await call('PUT', repository, `/v2/${repository}/manifests/${tag}`, 201, body, MANIFEST)).arrayBuffer()
    },
  }
}
