/** What every store must do; run by each implementation's test. */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { newId } from '@slipway/core'
import { digestBytes } from '@slipway/oci/node'
import { describe, expect, it } from 'vitest'
import type { BlobStore } from './store'

const MAX = 64 * 1024 * 1024

/** `reopen` gives the same place as a new process would see it. */
export function storeSuite(name: string, make: () => Promise<{ store: BlobStore; reopen: () => Promise<BlobStore> }>): void {
  const bytes = (...parts: string[]) => Readable.from(parts.map((part) => Buffer.from(part)))
  const read = async (store: BlobStore, digest: string, range?: { start: number; end: number }) => {
    const stream = await store.open(digest, range)
    return stream && (await buffer(stream)).toString()
  }
  const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
    const found: T[] = []
    for await (const item of items) found.push(item)
    return found
  }

  describe(name, () => {
    it('shows a blob only after it was placed', async () => {
      const { store } = await make()
      const id = newId('upload')
      const digest = digestBytes('hello')
      expect(await store.uploadSize(id)).toBe(0)
      expect(await store.append(id, bytes('hel', 'lo'), MAX)).toBe(5)
      expect(await store.size(digest)).toBeUndefined()
      expect(await store.seal(id, digest)).toEqual({ size: 5 })
      expect(await store.open(digest)).toBeUndefined()
      await store.place(id, digest)
      expect(await read(store, digest)).toBe('hello')
      expect(await read(store, digest, { start: 1, end: 3 })).toBe('ell')
      expect(await store.size(digest)).toBe(5)
      expect(await store.uploadSize(id)).toBe(0)
      expect((await all(store.blobs())).map((b) => b.digest)).toEqual([digest])
      expect(await all(store.uploads())).toEqual([])
    })

    it('refuses content of another digest, and has not shown it', async () => {
      const { store } = await make()
      const id = newId('upload')
      await store.append(id, bytes('hello'), MAX)
      await expect(store.seal(id, digestBytes('other'))).rejects.toMatchObject({
        name: 'DigestMismatchError',
        actual: digestBytes('hello'),
      })
      await store.discard(id)
      expect(await all(store.uploads())).toEqual([])
      expect(await all(store.blobs())).toEqual([])
    })

    it('keeps what arrived before the line broke, and goes on, also in a new process', async () => {
      const { store, reopen } = await make()
      const id = newId('upload')
      async function* broken() {
        yield Buffer.from('hel')
        throw new Error('line broke')
      }
      await expect(store.append(id, broken(), MAX)).rejects.toThrow('line broke')
      expect(await store.uploadSize(id)).toBe(3)
      expect(await store.append(id, bytes('lo'), MAX)).toBe(5)
      const again = await reopen()
      expect(await again.append(id, bytes(' world'), MAX)).toBe(11)
      const digest = digestBytes('hello world')
      expect(await again.seal(id, digest)).toEqual({ size: 11 })
      await again.place(id, digest)
      expect(await read(store, digest)).toBe('hello world')
    })

    it('verifies sha512 and the empty blob', async () => {
      const { store } = await make()
      const first = newId('upload')
      await store.append(first, bytes('abc'), MAX)
      await store.seal(first, digestBytes('abc', 'sha512'))
      const second = newId('upload')
      expect(await store.seal(second, digestBytes(''))).toEqual({ size: 0 })
      await store.place(second, digestBytes(''))
      expect(await read(store, digestBytes(''))).toBe('')
    })

    it('stops at the limit', async () => {
      const { store } = await make()
      const id = newId('upload')
      await expect(store.append(id, bytes('123', '456'), 5)).rejects.toMatchObject({ name: 'UploadTooLargeError' })
    })

    it('places over a damaged or an existing blob, and removes', async () => {
      const { store } = await make()
      const digest = digestBytes('twice')
      for (const id of [newId('upload'), newId('upload')]) {
        await store.append(id, bytes('twice'), MAX)
        await store.seal(id, digest)
        await store.place(id, digest)
      }
      const open = await store.open(digest)
      await store.remove(digest)
      await store.remove(digest)
      expect(await store.size(digest)).toBeUndefined()
      // Who reads already reads to the end.
      expect(open && (await buffer(open)).toString()).toBe('twice')
    })

    it('moves a damaged blob aside, keeps it there, and takes a sound one in its place', async () => {
      const { store, reopen } = await make()
      const digest = digestBytes('precious')
      const put = async () => {
        const id = newId('upload')
        await store.append(id, bytes('precious'), MAX)
        await store.seal(id, digest)
        await store.place(id, digest)
      }
      expect(await store.quarantine(digest)).toBeUndefined()
      await put()
      const name = await store.quarantine(digest)
      expect(name).toContain(digest.slice(7))
      expect(await store.size(digest)).toBeUndefined()
      expect(await store.open(digest)).toBeUndefined()
      expect(await all(store.blobs())).toEqual([])
      await put()
      expect(await all((await reopen()).blobs())).toMatchObject([{ digest, size: 8 }])
      expect(await all((await reopen()).quarantined())).toMatchObject([{ name, size: 8 }])
    })

    it('takes megabytes in odd pieces', async () => {
      const { store } = await make()
      const id = newId('upload')
      const content = Buffer.alloc(5_000_011, 'slipway')
      const pieces: Buffer[] = []
      for (let at = 0; at < content.byteLength; at += 77_777) pieces.push(content.subarray(at, at + 77_777))
      await store.append(id, Readable.from(pieces), MAX)
      await store.seal(id, digestBytes(content))
      await store.place(id, digestBytes(content))
      const stream = await store.open(digestBytes(content))
      expect(stream && digestBytes(await buffer(stream))).toBe(digestBytes(content))
    })

    it('keeps records whole, removes them, lists them by repository, and shows them among no blobs', async () => {
      const { store, reopen } = await make()
      const [one, two] = [newId('repository'), newId('repository')]
      const manifest = `${one}/manifests/sha256-${'9f'.repeat(32)}`
      const keys = [`${one}/repository`, manifest, `${one}/tags/1.0`, `${two}/tags/latest`]
      await store.keep(keys.map((key) => ({ key, content: Buffer.from(`of ${key}`) })))
      const again = await reopen()
      expect((await all(again.records())).sort()).toEqual(keys.toSorted())
      expect((await all(again.records(two))).sort()).toEqual([`${two}/tags/latest`])
      expect((await again.record(manifest))?.toString()).toBe(`of ${manifest}`)
      expect(await again.record(`${two}/repository`)).toBeUndefined()
      await again.keep([{ key: manifest, content: Buffer.alloc(4 * 1024 * 1024, 'a') }])
      expect((await store.record(manifest))?.byteLength).toBe(4 * 1024 * 1024)
      await again.keep([...keys, `${two}/repository`].map((key) => ({ key, content: null })))
      expect(await all(store.records())).toEqual([])
      expect(await store.record(manifest)).toBeUndefined()
      expect([...(await all(store.blobs())), ...(await all(store.uploads()))]).toEqual([])
    })

    it('makes no path of anything but hex and its own ids', async () => {
      const { store } = await make()
      for (const digest of ['sha256:../../../etc/passwd', `sha256:${'A'.repeat(64)}`, 'x', '']) {
        await expect(store.open(digest)).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
      }
      for (const id of ['../x', 'upl_../../etc', '', 'upl_'])
        await expect(store.append(id, bytes('x'), MAX)).rejects.toThrow('not an upload id')
      for (const key of ['', '../x', 'rep_0123456789/../x', 'rep_0123456789/tags/..', 'rep_0123456789/manifests/sha256-x', 'rep_0/x']) {
        await expect(store.record(key)).rejects.toThrow('not the key of a record')
        await expect(store.keep([{ key, content: null }])).rejects.toThrow('not the key of a record')
      }
    })
  })
}
