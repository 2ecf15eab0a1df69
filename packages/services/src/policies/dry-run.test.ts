import { createHash } from 'node:crypto'
import type { views } from '@slipway/contracts'
import { newId } from '@slipway/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'
import { createDryRun, type DryRun, type DryRunSizes } from './dry-run'
import { runOpenRetention } from './retention'

let h: Harness
beforeAll(async () => {
  h = await createHarness()
})
afterAll(() => h.close())

const INDEX = 'application/vnd.oci.image.index.v1+json'
const RULES = { repositories: '*', keepLast: 1, keepUsedDays: null, keepTags: ['keep*'], keepDeployments: 1, untaggedDays: 30 }
const NORMAL: DryRunSizes = { repositories: 25, rows: 5000, blobs: 3200, manifests: 250 }
/** Every repository is a page of its own, and its blobs are looked at one, two … at a time. */
const small = (blobs: number, manifests = 0): DryRunSizes => ({ repositories: 2, rows: 0, blobs, manifests })

const digestOf = (name: string) => `sha256:${createHash('sha256').update(name).digest('hex')}`
const ago = (days: number) => new Date(Date.now() - days * 86_400_000)

interface Image {
  days: number
  tag?: string
  /** Names of blobs. */
  layers?: string[]
  config?: string
  children?: string[]
  subject?: string
}

/** Images by name, with links to all blobs that they name but those in `unlinked`. A blob's size tells which it is: a power of two. */
async function fill(
  { organizationId }: Scope,
  name: string,
  images: Record<string, Image>,
  more: { linked?: string[]; unlinked?: string[] } = {},
) {
  const { id: repositoryId } = await h.db.repository.create({ data: { id: newId('repository'), organizationId, name } })
  const named = new Set(more.linked)
  for (const { layers = [], config } of Object.values(images)) for (const blob of [...layers, ...(config ? [config] : [])]) named.add(blob)
  for (const blob of named) {
    const { digest, size } = blobOf(blob)
    await h.db.blob.upsert({ where: { digest }, create: { digest, size }, update: {} })
    if (!more.unlinked?.includes(blob)) await h.db.repositoryBlob.create({ data: { repositoryId, digest, size } })
  }
  for (const [image, { days, tag, layers = [], config, children = [], subject }] of Object.entries(images)) {
    const id = newId('manifest')
    const rows = (digests: string[]) => digests.map((digest, position) => ({ position, digest }))
    await h.db.manifest.create({
      data: {
        id,
        repositoryId,
        organizationId,
        digest: digestOf(`${name}/${image}`),
        mediaType: children.length > 0 ? INDEX : 'application/vnd.oci.image.manifest.v1+json',
        subjectDigest: subject ? digestOf(`${name}/${subject}`) : null,
        configDigest: config ? blobOf(config).digest : null,
        content: new Uint8Array(1),
        size: 1,
        totalSize: 1n,
        pushedBy: 'Ada',
        createdAt: ago(days),
        layers: { create: rows(layers.map((layer) => blobOf(layer).digest)).map((row) => ({ ...row, mediaType: 'tar', size: 1n })) },
        children: { create: rows(children.map((child) => digestOf(`${name}/${child}`))) },
      },
    })
    if (tag) await h.db.tag.create({ data: { repositoryId, name: tag, manifestId: id, pushedBy: 'Ada', updatedAt: ago(days) } })
  }
  return repositoryId
}

/** Blobs of the organization that is filled: no other has one of them. */
let blobs: { of: string; sizes: Map<string, bigint> }
const newBlobs = (of: string) => {
  blobs = { of, sizes: new Map() }
}
function blobOf(name: string) {
  const size = blobs.sizes.get(name) ?? 2n ** BigInt(blobs.sizes.size)
  blobs.sizes.set(name, size)
  const hex = createHash('sha512').update(`${blobs.of}/${name}`).digest('hex')
  return { digest: name.startsWith('long') ? `sha512:${hex}` : digestOf(`${blobs.of}/${name}`), size }
}
const bytesOf = (...blobs: string[]) => blobs.reduce((sum, blob) => sum + Number(blobOf(blob).size), 0)

/** All pages; each by `dryRun()`, so that it can be another process's. */
async function walk(dryRun: () => DryRun, scope: Scope, rules = RULES, between = async (_: views.RetentionPreviewPage) => {}) {
  const pages: views.RetentionPreviewPage[] = []
  let cursor: string | null = null
  do {
    const page: views.RetentionPreviewPage = await dryRun().ofOrganization(scope, { rules, cursor })
    pages.push(page)
    cursor = page.next
    if (cursor) await between(page)
  } while (cursor)
  const sum = (of: 'tags' | 'manifests' | 'bytes' | 'looked' | 'changed' | 'repositories') =>
    pages.reduce((total, page) => total + page[of], 0)
  const byRepository: Record<string, number> = {}
  for (const { repository, bytes } of pages.flatMap((page) => page.rows)) byRepository[repository] = (byRepository[repository] ?? 0) + bytes
  return { pages, tags: sum('tags'), manifests: sum('manifests'), bytes: sum('bytes'), looked: sum('looked'), byRepository }
}
const once = (limits: DryRunSizes) => {
  const dryRun = createDryRun(h.deps, limits)
  return () => dryRun
}

/** Two repositories that have blobs in common, in every way that a blob may be used. */
async function mixed(slug: string): Promise<Scope> {
  newBlobs(slug)
  const scope = await h.organization(slug, slug)
  await fill(
    scope,
    'app',
    {
      newest: { days: 1, tag: 'v3', layers: ['base', 'stays', 'staying-config-as-layer'], config: 'c3' },
      old: { days: 50, tag: 'v2', layers: ['base', 'stays', 'old', 'both', 'abroad'], config: 'c2' },
      older: { days: 60, tag: 'v1', layers: ['base', 'both', 'long', 'staying-config'], config: 'c2' },
      artifact: { days: 55, tag: 'v0', layers: ['artifact', 'c-both'], config: 'artifact' },
      index: { days: 70, tag: 'multi', children: ['amd64', 'arm64'] },
      amd64: { days: 70, layers: ['amd64'], config: 'camd64' },
      arm64: { days: 70, layers: ['arm64'], config: 'staying-config-as-layer' },
      pinned: { days: 80, tag: 'keep-1', layers: ['base'], config: 'staying-config' },
      'kept-part': { days: 80, layers: ['kept-part'], config: 'c-both' },
      'kept-index': { days: 80, tag: 'keep-2', children: ['kept-part'] },
      sbom: { days: 50, layers: ['sbom'], subject: 'old' },
    },
    { linked: ['unused', 'named-elsewhere'] },
  )
  await fill(
    scope,
    'other',
    {
      newest: { days: 1, tag: 'v2', layers: ['other-new', 'foreign', 'both-but-unlinked', 'named-elsewhere'], config: 'co2' },
      old: { days: 40, tag: 'v1', layers: ['base', 'other-old', 'abroad'], config: 'co1' },
    },
    { unlinked: ['foreign', 'both-but-unlinked', 'named-elsewhere'] },
  )
  await fill(scope, 'third', { newest: { days: 1, tag: 'v2' }, old: { days: 40, tag: 'v1', layers: ['both-but-unlinked'] } })
  await fill(scope, 'calm', { newest: { days: 1, tag: 'v1', layers: ['calm'], config: 'cc' } })
  await h.db.repository.create({ data: { id: newId('repository'), organizationId: scope.organizationId, name: 'empty' } })
  return scope
}
const FREED = {
  // A manifest has one byte.
  app: () => 7 + bytesOf('old', 'both', 'c2', 'long', 'artifact', 'amd64', 'camd64', 'arm64', 'sbom'),
  other: () => 1 + bytesOf('other-old', 'co1'),
  third: () => 1 + bytesOf('both-but-unlinked'),
}

it('counts over pages of any size what a run removes in one transaction, each blob once', async () => {
  const acme = await mixed('acme')
  for (const limits of [NORMAL, small(1), small(2), small(5), small(1000), small(2, 3), small(1, 100), { ...small(3), rows: 12 }]) {
    const found = await walk(once(limits), acme)
    expect([limits, found.byRepository]).toEqual([limits, { app: FREED.app(), other: FREED.other(), third: FREED.third() }])
    expect(found).toMatchObject({ tags: 6, manifests: 9, looked: 5 })
    expect(found.pages.every((page) => page.of === 5)).toBe(true)
  }
  const { id } = await h.db.repository.findFirstOrThrow({ where: { organizationId: acme.organizationId, name: 'app' } })
  const dryRun = createDryRun(h.deps, small(4))
  let [bytes, cursor, parts]: [number, string | null, number[]] = [0, null, []]
  do {
    const page: views.RetentionPreviewPage = await dryRun.ofRepository(acme, { id, name: 'app' }, { rules: RULES, cursor })
    bytes += page.bytes
    cursor = page.next
    parts = [...parts, page.within?.part ?? 1]
    expect([page.of, page.looked, page.within?.repository]).toEqual(cursor ? [1, 0, 'app'] : [1, 1, undefined])
  } while (cursor)
  expect(bytes).toBe(FREED.app())
  expect(parts.length).toBeGreaterThan(4)
  expect(parts).toEqual([...parts].sort((a, b) => a - b))

  await h.services.policies.setRetention(acme, { rules: RULES, minute: 90 })
  await h.services.policies.runRetention(acme)
  await runOpenRetention(h.deps, new AbortController().signal)
  const [run] = (await h.services.policies.retention(acme)).runs
  expect(run).toMatchObject({ tags: 6, manifests: 9, bytes: FREED.app() + FREED.other() + FREED.third(), error: null })
  expect(await walk(once(small(2)), acme)).toMatchObject({ tags: 0, manifests: 0, bytes: 0, byRepository: {} })
})

it('needs nothing that another process has in its memory', async () => {
  const lab = await mixed('lab')
  const found = await walk(() => createDryRun(h.deps, small(2)), lab)
  expect(found.byRepository).toEqual({ app: FREED.app(), other: FREED.other(), third: FREED.third() })
})

it('counts the same as one by one, at random', async () => {
  let seed = 20261130
  const random = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed % n
  }
  for (let round = 0; round < 6; round++) {
    newBlobs(`round-${round}`)
    const scope = await h.organization(`Rnd${round}`, `rnd-${round}`)
    const some = (n: number) => [...new Set(Array.from({ length: n }, () => `blob-${random(14)}`))]
    for (const name of ['a', 'b', 'c'].slice(0, 1 + random(3))) {
      const images: Record<string, Image> = {}
      for (let n = 0; n < 4 + random(8); n++)
        images[`m${n}`] = {
          days: 1 + random(60),
          layers: some(random(5)),
          ...(random(3) > 0 && { tag: `${random(4) === 0 ? 'keep' : 't'}-${n}` }),
          ...(random(4) > 0 && { config: some(1)[0] ?? '' }),
          ...(n > 1 && random(5) === 0 && { children: [`m${random(n)}`], layers: [] }),
          ...(n > 1 && random(5) === 0 && { subject: `m${random(n)}` }),
        }
      await fill(scope, `${name}${round}`, images)
    }
    const whole = await walk(once(NORMAL), scope)
    for (const limits of [small(1), small(3), small(2, 4)])
      expect([round, limits, (await walk(once(limits), scope)).byRepository]).toEqual([round, limits, whole.byRepository])
    expect([round, whole.byRepository]).toEqual([round, await freedByRun(scope)])
  }
})

/** What a run frees of each repository, by sets: manifests, and blobs that only these use there and no other repository links. */
async function freedByRun(scope: Scope): Promise<Record<string, number>> {
  const { organizationId } = scope
  const repositories = await h.db.repository.findMany({
    where: { organizationId },
    include: { blobs: true, manifests: { include: { layers: true } } },
  })
  await h.services.policies.setRetention(scope, { rules: RULES, minute: 90 })
  await h.services.policies.runRetention(scope)
  await runOpenRetention(h.deps, new AbortController().signal)
  const left = new Set((await h.db.manifest.findMany({ where: { organizationId } })).map(({ id }) => id))
  const links = repositories.flatMap((repository) => repository.blobs.map(({ digest }) => digest))
  const found: Record<string, number> = {}
  for (const { name, blobs: linked, manifests } of repositories) {
    const uses = (stay: boolean) =>
      new Set(
        manifests
          .filter(({ id }) => left.has(id) === stay)
          .flatMap(({ layers, configDigest }) => [...layers.map(({ digest }) => digest), configDigest]),
      )
    const [goes, stays] = [uses(false), uses(true)]
    if (goes.size === 0) continue
    const only = (digest: string) => links.filter((other) => other === digest).length === 1
    const freed = linked.filter(({ digest }) => goes.has(digest) && !stays.has(digest) && only(digest))
    const gone = manifests.filter(({ id }) => !left.has(id)).length
    found[name] = freed.reduce((sum, { size }) => sum + Number(size), gone)
  }
  return found
}

it('goes on when repositories, images or rules change or go while it counts', async () => {
  const busy = await mixed('busy')
  const { organizationId } = busy
  const idOf = async (name: string) => (await h.db.repository.findFirstOrThrow({ where: { organizationId, name } })).id
  const app = await idOf('app')
  const deeds = [
    () => h.db.manifest.deleteMany({ where: { repositoryId: app, digest: digestOf('app/old') } }),
    () => fill(busy, 'late', { newest: { days: 1, tag: 'v2' }, old: { days: 40, tag: 'v1', layers: ['late'] } }),
    () => h.db.manifest.deleteMany({ where: { repositoryId: app } }),
    () => h.services.repositories.setRetention(busy, { repository: 'other', rules: 'keep' }),
    () => h.db.repository.delete({ where: { id: app } }),
  ]
  for (const memory of [once(small(3)), () => createDryRun(h.deps, small(3))]) {
    const found = await walk(memory, busy, RULES, async ({ within }) => {
      if (within?.repository === 'app' || within === null) await deeds.shift()?.()
    })
    expect(found.bytes).toBeLessThanOrEqual(FREED.app() + FREED.other() + FREED.third() + 1 + bytesOf('late'))
    expect(found.pages.at(-1)?.next).toBeNull()
  }
  expect(deeds).toEqual([])
  expect(await walk(once(small(3)), busy)).toMatchObject({ byRepository: { third: FREED.third(), late: 1 + bytesOf('late') } })
})

it('takes only pages of its own, and tells nothing of other organizations', async () => {
  const mine = await mixed('mine')
  const foes = await mixed('foes')
  const dryRun = createDryRun(h.deps, small(2))
  const idOf = async ({ organizationId }: Scope, name: string) =>
    (await h.db.repository.findFirstOrThrow({ where: { organizationId, name } })).id
  const theirs = await idOf(foes, 'app')
  const app = { id: await idOf(mine, 'app'), name: 'app' }
  for (const cursor of ['', 'nonsense here', `${theirs}@nonsense`, `${theirs}@sha256:0`, 'a\u0000b', `${theirs}@@`])
    for (const asked of [dryRun.ofOrganization(mine, { rules: RULES, cursor }), dryRun.ofRepository(mine, app, { rules: RULES, cursor })])
      await expect(asked).rejects.toMatchObject({ code: 'CURSOR_INVALID', kind: 'bad-input' })
  const page = await dryRun.ofOrganization(mine, { rules: RULES, cursor: `${theirs}@` })
  expect(page).toMatchObject({ tags: 0, manifests: 0, bytes: 0, rows: [], within: null })
  for (const cursor of [theirs, `${theirs}@`, `${await idOf(mine, 'other')}@`])
    await expect(dryRun.ofRepository(mine, app, { rules: RULES, cursor })).rejects.toMatchObject({ code: 'CURSOR_INVALID' })
  expect(await dryRun.ofRepository(mine, app, { rules: RULES, cursor: app.id })).toMatchObject({ repositories: 0, rows: [], next: null })
})

it('tells of one repository why each tag stays, also when nothing goes', async () => {
  const calm = await mixed('calm')
  const found = await h.services.repositories.previewRetention(calm, { repository: 'calm', rules: RULES })
  expect(found).toMatchObject({
    repositories: 1,
    changed: 0,
    rows: [{ repository: 'calm', tags: [{ name: 'v1', kept: 'last' }] }],
    next: null,
  })
  expect(await h.services.repositories.previewRetention(calm, { repository: 'calm' })).toMatchObject({
    repositories: 0,
    rows: [],
    looked: 1,
  })
})
