import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
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
