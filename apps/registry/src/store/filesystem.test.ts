import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { newId } from '@slipway/core'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FilesystemStore } from './filesystem'
import { storeSuite } from './store.suite'

let folder: string
let count = 0
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slipway-store-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const open = async (root: string) => {
  const store = new FilesystemStore(root)
  await store.prepare()
  return store
}

storeSuite('filesystem store', async () => {
  const root = path.join(folder, String(count++))
  return { store: await open(root), reopen: () => open(root) }
})

it('tells a full disk, and shows and keeps nothing that did not fit', async () => {
  const root = path.join(folder, 'small')
  await mkdir(root)
  // Needs root, and says so by failing: a full disk cannot be had otherwise.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', root])
  try {
    const store = await open(root)
    const id = newId('upload')
    const megabyte = Buffer.alloc(1024 * 1024, 1)
    const large = Readable.from(Array.from({ length: 8 }, () => megabyte))
    await expect(store.append(id, large, 1e9)).rejects.toMatchObject({ name: 'StoreFullError' })
    // Cut back to whole batches: a client that asks where to go on gets a true answer.
    expect((await store.uploadSize(id)) % megabyte.byteLength).toBe(0)
    await store.discard(id)
    expect(await readdir(path.join(root, 'uploads'))).toEqual([])
    const small = newId('upload')
    await store.append(small, Readable.from([megabyte]), 1e9)
    await store.seal(small, digestBytes(megabyte))
    await store.place(small, digestBytes(megabyte))
    expect(await store.size(digestBytes(megabyte))).toBe(megabyte.byteLength)
  } finally {
    execFileSync('umount', [root])
  }
})

it('leaves files of others alone, and lists only what is its own', async () => {
  const root = path.join(folder, 'foreign')
  const store = await open(root)
  const id = newId('upload')
  await store.append(id, Readable.from([Buffer.from('own')]), 100)
  await store.seal(id, digestBytes('own'))
  await store.place(id, digestBytes('own'))
  const under = path.join(root, 'blobs/sha256/9f')
  // What NFS leaves of an open file that was removed, what mkfs makes, a digest cut short, one in another's folder.
  const names = ['.nfs000000000a1b2c3d', '9f0c', 'AB'.repeat(32), '00'.repeat(32)]
  for (const name of names) await writeFile(path.join(under, name), 'foreign')
  for (const at of [under, path.join(root, 'uploads'), path.join(root, 'quarantine')]) await mkdir(path.join(at, 'lost+found'))
  await writeFile(path.join(root, 'uploads/.nfs000000000a1b2c3e'), 'foreign')
  const listed: string[] = []
  for await (const { digest } of store.blobs()) listed.push(digest)
  expect(listed).toEqual([digestBytes('own')])
  for await (const { uploadId } of store.uploads()) expect.unreachable(uploadId)
  for await (const { name } of store.quarantined()) expect.unreachable(name)
  expect(await readdir(under)).toHaveLength(5)
})
