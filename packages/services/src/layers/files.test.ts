import { countUnreadLayers, tellScans } from '@slipway/db'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'
import { imageOf, type LayerFiles, listingOf, readLayer } from './testing'

let h: Harness
let acme: Scope
let evil: Scope
beforeAll(async () => {
  h = await createHarness()
  acme = await h.organization('Ada', 'acme')
  evil = await h.organization('Eve', 'evil')
})
afterAll(() => h.close())

const deb = (name: string, version: string) => ({ type: 'deb', name, version, licence: null, path: 'var/lib/dpkg/status' })
const base: LayerFiles = {
  bin: { to: 'usr/bin' },
  etc: null,
  'etc/motd': 'hello',
  'etc/passwd': 'root:x:0:0',
  'usr/bin/tool': 'x'.repeat(1000),
  'usr/share/doc/a': 'aaaa',
  'usr/share/doc/b': 'bbbbbb',
  'var/lib/dpkg/status': 'old status',
}
const middle: LayerFiles = {
  '-usr/share/doc': null,
  'etc/passwd': { mode: 0o600, text: 'root:x:0:0' },
  'srv/cache/one': '1'.repeat(500),
  'srv/cache/two': { hard: 'srv/cache/one' },
  'var/lib/dpkg/status': 'new status!',
}
const top: LayerFiles = { '=srv/cache': null, 'srv/cache/three': '333', 'etc/motd': 'hello you' }

async function shop(scope: Scope) {
  const layers = [
    await readLayer(h.db, listingOf(base, [deb('bash', '5.1'), deb('zlib', '1.2')])),
    await readLayer(h.db, listingOf(middle, [deb('bash', '5.2'), deb('zlib', '1.2'), deb('curl', '8')])),
    await readLayer(h.db, listingOf(top)),
  ]
  return { layers, image: await imageOf(h.db, scope.organizationId, 'shop', layers, { config: { Env: ['A=1', 'B=2'], User: 'app' } }) }
}

it('puts layers on each other: what is seen, what is hidden, and by which step', async () => {
  const { image } = await shop(acme)
  const { files } = h.services
  const list = async (path: string, hidden = false) => {
    const page = await files.list(acme, { ...image, path, hidden, offset: 0, limit: 100 })
    return page.items.map((one) => [one.name, one.kind, one.size, one.layer, one.hiddenBy])
  }
  expect(await list('')).toEqual([
    ['etc', 'directory', 19, 0, null],
    ['srv', 'directory', 3, 1, null],
    ['usr', 'directory', 1000, 0, null],
    ['var', 'directory', 11, 0, null],
    ['bin', 'symlink', 0, 0, null],
  ])
  expect(await list('etc', true)).toEqual([
    ['motd', 'file', 5, 0, 2],
    ['motd', 'file', 9, 2, null],
    ['passwd', 'file', 10, 0, 1],
    ['passwd', 'file', 10, 1, null],
  ])
  expect(await list('srv/cache')).toEqual([['three', 'file', 3, 2, null]])
  expect(await list('usr/share/doc', true)).toEqual([
    ['a', 'file', 4, 0, 1],
    ['b', 'file', 6, 0, 1],
  ])
  await expect(list('usr/share/doc')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  await expect(list('etc/motd')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })

  const state = await files.state(acme, image)
  expect(state).toMatchObject({ state: 'ready', total: { files: 6, bytes: 1033, wasted: 5 + 10 + 4 + 6 + 10 + 500, wastedFiles: 6 } })
  expect(state.total?.top.slice(0, 3)).toEqual([
    { path: 'srv/cache/one', bytes: 500, layer: 1, by: 2, how: 'removed' },
    { path: 'etc/passwd', bytes: 10, layer: 0, by: 1, how: 'same' },
    { path: 'var/lib/dpkg/status', bytes: 10, layer: 0, by: 1, how: 'replaced' },
  ])
  expect(state.layers.map((layer) => [layer.entries, layer.bytes])).toEqual([
    [8, 1035],
    [5, 521],
    [3, 12],
  ])
})

it('searches by a part of the path and by patterns', async () => {
  const { image } = await shop(acme)
  const search = async (query: string, hidden = false) => {
    const found = await h.services.files.search(acme, { ...image, query, hidden })
    expect(found.total).toBe(found.items.length)
    return found.items.map((one) => one.path)
  }
  expect(await search('PASSW')).toEqual(['etc/passwd'])
  expect(await search('/usr/b')).toEqual(['usr/bin', 'usr/bin/tool'])
  expect(await search('t*l')).toEqual(['usr/bin/tool'])
  expect(await search('srv/*/t????')).toEqual(['srv/cache/three'])
  expect(await search('cache/one')).toEqual([])
  expect(await search('cache/one', true)).toEqual(['srv/cache/one'])
  expect(await search(`${'*a'.repeat(200)}b`)).toEqual([])
})

it('tells the packages of the files that are seen', async () => {
  const { image } = await shop(acme)
  const found = await h.services.files.packages(acme, image)
  expect(found.packages.map((one) => [one.name, one.version, one.layer])).toEqual([
    ['bash', '5.2', 1],
    ['curl', '8', 1],
    ['zlib', '1.2', 1],
  ])
  expect(found.types).toEqual([{ type: 'deb', count: 3 }])
})

it('compares two images by file, package and setting', async () => {
  const { layers, image } = await shop(acme)
  const next = await readLayer(
    h.db,
    listingOf({ 'etc/motd': 'a longer hello', 'etc/passwd': { mode: 0o644, text: 'root:x:0:0' }, new: 'n', '-usr/bin/tool': null }),
  )
  const other = await imageOf(h.db, acme.organizationId, 'shop', [...layers, next], {
    tag: 'next',
    config: { Env: ['A=1', 'B=3'], Cmd: ['run'] },
  })
  const found = await h.services.files.compare(acme, { ...image, other })
  expect(found.files).toEqual({
    added: { total: 1, bytes: 1, items: [{ path: 'new', kind: 'file', from: null, to: 1, what: null }] },
    removed: { total: 1, bytes: -1000, items: [{ path: 'usr/bin/tool', kind: 'file', from: 1000, to: null, what: null }] },
    changed: {
      total: 2,
      bytes: 5,
      items: [
        { path: 'etc/motd', kind: 'file', from: 9, to: 14, what: 'content' },
        { path: 'etc/passwd', kind: 'file', from: 10, to: 10, what: 'rights' },
      ],
    },
  })
  expect(found.config).toEqual([
    { field: 'Cmd', from: null, to: '["run"]' },
    { field: 'Env B', from: '2', to: '3' },
    { field: 'User', from: 'app', to: null },
  ])
  expect(found.layers).toEqual({ shared: 3, sharedBytes: 300, from: 3, to: 4 })
  const bare = await imageOf(h.db, acme.organizationId, 'shop', layers.slice(0, 1), { tag: 'bare' })
  expect((await h.services.files.compare(acme, { ...image, other: bare })).packages).toEqual({
    added: [],
    removed: [{ type: 'deb', name: 'curl', version: '8' }],
    changed: [{ type: 'deb', name: 'bash', from: '5.2', to: '5.1' }],
  })
  await expect(h.services.files.compare(evil, { ...image, other })).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' })
})

it('asks for layers that nobody has read, and says which cannot be', async () => {
  const layers = [await readLayer(h.db, listingOf({ a: '1' }))]
  for (const letter of 'bcde') {
    const digest = `sha256:${letter.repeat(64)}`
    if (letter !== 'e') await h.db.blob.create({ data: { digest, size: 1n } })
    layers.push(digest)
  }
  const row = (letter: string) => ({ digest: `sha256:${letter.repeat(64)}`, names: [] })
  await h.db.layerIndex.create({ data: { ...row('c'), state: 'refused', error: 'This layer cannot be looked into: it lies.' } })
  const image = await imageOf(h.db, acme.organizationId, 'half', layers)
  expect((await h.services.files.state(acme, image)).layers.map((layer) => layer.state)).toEqual([
    'ready',
    'waiting',
    'refused',
    'waiting',
    'refused',
  ])
  expect((await h.queues.layer.getWaiting()).map((job) => job.data.layer).sort()).toEqual([
    `sha256-${'b'.repeat(64)}`,
    `sha256-${'d'.repeat(64)}`,
  ])
  await expect(h.services.files.list(acme, { ...image, path: '', hidden: false, offset: 0, limit: 9 })).rejects.toMatchObject({
    code: 'LAYERS_NOT_READ',
  })

  await h.db.layerIndex.create({ data: { ...row('b'), state: 'failed', attempts: 6, error: 'The registry does not answer.' } })
  await h.db.layerIndex.create({ data: { ...row('d'), state: 'refused' } })
  expect(await h.services.files.state(acme, image)).toMatchObject({ state: 'failed', total: { files: 1 } })
  const artifact = await imageOf(h.db, acme.organizationId, 'text', layers.slice(0, 1), { mediaType: 'text/plain' })
  expect((await h.services.files.state(acme, artifact)).layers).toMatchObject([{ state: 'ready' }])
})

it('finds where a layer, a package and a file are used, and whether a later layer hides them', async () => {
  const { layers, image } = await shop(acme)
  await h.db.manifest.deleteMany({ where: { organizationId: acme.organizationId, digest: { not: image.digest } } })
  const bare = await imageOf(h.db, acme.organizationId, 'bare', layers.slice(0, 1))
  const foreign = await imageOf(h.db, evil.organizationId, 'theirs', layers)
  const find = async (scope: Scope, kind: 'layer' | 'package' | 'file', query: string, version?: string) => {
    const found = await h.services.files.whereUsed(scope, { kind, query, ...(version && { version }), limit: 50 })
    expect(found.total).toBe(found.items.length)
    return found.items.map((one) => [one.repository, one.layer.position, one.version ?? one.path, one.hidden]).sort()
  }
  expect(await find(acme, 'layer', layers[0] as string)).toEqual([
    ['bare', 0, null, false],
    ['shop', 0, null, false],
  ])
  expect(await find(acme, 'package', 'bash')).toEqual([
    ['bare', 0, '5.1', false],
    ['shop', 1, '5.2', false],
  ])
  // The older version is shipped with the layer below, but no longer what the image has.
  expect(await find(acme, 'package', 'bash', '5.1')).toEqual([
    ['bare', 0, '5.1', false],
    ['shop', 0, '5.1', true],
  ])
  expect(await find(acme, 'file', '/usr/share/doc/a')).toEqual([
    ['bare', 0, '/usr/share/doc/a', false],
    ['shop', 0, '/usr/share/doc/a', true],
  ])
  expect(await find(acme, 'file', 'srv/cache/one')).toEqual([['shop', 1, '/srv/cache/one', true]])
  expect(await find(acme, 'file', '/etc/motd')).toEqual([
    ['bare', 0, '/etc/motd', false],
    ['shop', 2, '/etc/motd', false],
  ])
  expect((await find(acme, 'file', 'tool')).map(([repository]) => repository)).toEqual(['bare', 'shop'])
  expect(await find(acme, 'file', '/nothing')).toEqual([])
  // Another organization holds the same layers, and each sees its own images only.
  expect((await find(evil, 'package', 'bash')).map(([repository]) => repository)).toEqual(['theirs'])
  await h.db.manifest.deleteMany({ where: { digest: foreign.digest } })
  for (const [kind, query] of [
    ['layer', layers[0]],
    ['package', 'bash'],
    ['file', 'tool'],
  ] as const)
    expect(await find(evil, kind, query as string)).toEqual([])
  expect((await h.services.files.whereUsed(evil, { kind: 'package', query: 'ba', limit: 5 })).suggestions).toEqual([])
  expect((await h.services.files.whereUsed(acme, { kind: 'package', query: 'ba', limit: 5 })).suggestions.map((one) => one.name)).toEqual([
    'bash',
  ])
  expect(bare.digest).toMatch(/^sha256:/)
})

it('forgets a layer with its blob', async () => {
  const digest = await readLayer(h.db, listingOf({ x: 'y' }, [deb('gone', '1')]))
  await h.db.blob.delete({ where: { digest } })
  expect(await h.db.layerPackage.count({ where: { digest } })).toBe(0)
})

it('reads no content of what is no plain file, before the registry is asked', async () => {
  const { image } = await shop(acme)
  const text = (path: string, layer?: number) => h.services.files.text(acme, { ...image, path, ...(layer !== undefined && { layer }) })
  await expect(text('bin')).rejects.toMatchObject({ code: 'FILE_IS_LINK' })
  await expect(text('etc')).rejects.toMatchObject({ code: 'FILE_HAS_NO_CONTENT' })
  await expect(text('nothing')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  await expect(text('etc/motd', 9)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  await expect(h.services.files.text(evil, { ...image, path: 'etc/motd' })).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' })
})

/** As `docker push` may do with layers that lie elsewhere: the registry demands no blob of them, whatever digest they say. */
it('tells nothing of a layer that a manifest names and its repository does not link', async () => {
  const secret = await readLayer(h.db, listingOf({ 'srv/secret/plan': 'x'.repeat(77), '-etc/hosts': null }, [deb('secret-tool', '1')]))
  await imageOf(h.db, acme.organizationId, 'plans', [secret])
  const own = await readLayer(h.db, listingOf({ 'etc/hosts': 'localhost' }))
  const absent = `sha256:${'f'.repeat(64)}`
  const foreign = { mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', linked: false }
  const probe = await imageOf(h.db, evil.organizationId, 'probe', [own, secret], foreign)
  const { id: repositoryId } = await h.db.repository.findFirstOrThrow({ where: { organizationId: evil.organizationId, name: 'probe' } })
  await h.db.repositoryBlob.create({ data: { repositoryId, digest: own, size: 1n } })
  const empty = await imageOf(h.db, evil.organizationId, 'probe', [own, absent], { ...foreign, tag: 'absent' })
  const { files } = h.services

  const [state, none] = [await files.state(evil, probe), await files.state(evil, empty)]
  const notHere = { state: 'refused', entries: null, bytes: null, error: 'It is not kept in this registry.' }
  expect(state.layers[1]).toMatchObject(notHere)
  expect(none.layers[1]).toMatchObject(notHere)
  expect(state.total).toEqual(none.total)
  expect((await files.search(evil, { ...probe, query: 'secret', hidden: true })).total).toBe(0)
  expect((await files.list(evil, { ...probe, path: '', hidden: true, offset: 0, limit: 9 })).items.map((one) => one.name)).toEqual(['etc'])
  expect((await files.packages(evil, probe)).packages).toEqual([])
  expect((await files.compare(evil, { ...empty, other: probe })).files.added.total).toBe(0)
  await expect(files.text(evil, { ...probe, path: 'srv/secret/plan', layer: 1 })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  const download = files.download(evil, { ...probe, path: 'srv/secret/plan' }, new AbortController().signal)
  await expect(download).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })

  const used = (scope: Scope, kind: 'package' | 'file', query: string) => files.whereUsed(scope, { kind, query, limit: 9 })
  expect(await used(evil, 'file', '/srv/secret/plan')).toMatchObject({ total: 0, items: [] })
  expect(await used(evil, 'file', 'plan')).toMatchObject({ total: 0 })
  expect(await used(evil, 'package', 'secret-tool')).toMatchObject({ total: 0, suggestions: [] })
  expect(await used(evil, 'package', 'secret')).toMatchObject({ suggestions: [] })
  // Nor what it would hide of their own.
  expect(await used(evil, 'file', '/etc/hosts')).toMatchObject({ items: [{ hidden: false }, { hidden: false }] })
  expect(await used(acme, 'file', '/srv/secret/plan')).toMatchObject({ items: [{ repository: 'plans' }] })

  // Whether it is read is nothing to them either.
  const unread = () => countUnreadLayers(h.db, evil.organizationId, 100)
  const before = await unread()
  await h.db.layerIndex.delete({ where: { digest: secret } })
  expect(await unread()).toBe(before)
  await h.db.manifest.updateMany({ data: { contentsReadAt: new Date() }, where: { NOT: { digest: probe.digest } } })
  expect(await tellScans(h.db, 10)).toBe(1)
})
