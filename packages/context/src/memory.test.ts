import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIgnoreMatcher } from '@slipway/dockerfile'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StatCache } from './stat-cache'
import { walkContext } from './walk'

const never = new AbortController().signal
let scratch: string
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'slipway-memory-'))
})
afterAll(() => rmSync(scratch, { recursive: true }))

describe('a walk that remembers the last one', () => {
  /** What may happen between two builds. Each is seen, though nothing is read but what changed. */
  const changes: [string, (root: string) => void, { ignore?: string; read: number }][] = [
    ['nothing', () => undefined, { read: 0 }],
    ['a file that is changed', (root) => writeFileSync(join(root, 'src/a'), 'other'), { read: 1 }],
    ['a file that comes', (root) => writeFileSync(join(root, 'src/new'), 'n'), { read: 1 }],
    ['a file that goes', (root) => rmSync(join(root, 'src/b')), { read: 0 }],
    // Its status changes, and with it what git goes by.
    ['a file with another name', (root) => renameSync(join(root, 'src/a'), join(root, 'src/z')), { read: 1 }],
    ['two files that change places', swap, { read: 2 }],
    ['a file with another mode', (root) => chmodSync(join(root, 'src/a'), 0o755), { read: 1 }],
    ['a folder with another mode', (root) => chmodSync(join(root, 'src/deep'), 0o700), { read: 0 }],
    ['a folder with another name', (root) => renameSync(join(root, 'src/deep'), join(root, 'src/deeper')), { read: 2 }],
    ['a link that leads elsewhere', relink, { read: 0 }],
    ['a file that becomes a folder', refolder, { read: 0 }],
    ['a pattern that leaves one out', () => undefined, { ignore: 'src/b\n', read: 0 }],
    ['a pattern that leaves a folder out', () => undefined, { ignore: 'src/deep\n', read: 0 }],
  ]

  function swap(root: string) {
    renameSync(join(root, 'src/a'), join(root, 'src/t'))
    renameSync(join(root, 'src/b'), join(root, 'src/a'))
    renameSync(join(root, 'src/t'), join(root, 'src/b'))
  }
  function refolder(root: string) {
    rmSync(join(root, 'src/a'))
    mkdirSync(join(root, 'src/a'))
  }
  function relink(root: string) {
    rmSync(join(root, 'src/link'))
    symlinkSync('b', join(root, 'src/link'))
  }

  const cached = async (root: string, ignore = '') => {
    const cache = await StatCache.open(join(root, '..', 'cache'), root)
    const context = await walkContext(root, createIgnoreMatcher(ignore), never, { cache })
    return { context, save: () => cache.save(root) }
  }
  const forgetful = (root: string, ignore = '') => walkContext(root, createIgnoreMatcher(ignore), never)

  it('gives what one without a memory gives, and can still send all of it', async () => {
    const roots = changes.map(([, change, { ignore, read }], i) => {
      const root = join(scratch, `${i}`, 'root')
      mkdirSync(join(root, 'src/deep'), { recursive: true })
      for (const [path, text] of [
        ['Dockerfile', 'FROM scratch'],
        ['src/a', 'a'],
        ['src/b', 'b'],
        ['src/deep/c', 'c'],
        ['src/deep/twin', 'a'],
      ] as const) {
        writeFileSync(join(root, path), text)
        utimesSync(join(root, path), 1e9, 1e9)
      }
      symlinkSync('a', join(root, 'src/link'))
      return { root, change, ignore, read }
    })
    // Their status is too young to be believed until then.
    await new Promise((resolve) => setTimeout(resolve, 2100))
    for (const { root } of roots) await (await cached(root)).save()
    for (const { root, change, ignore, read } of roots) {
      change(root)
      const [{ context, save }, fresh] = [await cached(root, ignore), await forgetful(root, ignore)]
      const { root: digest, entries, bytes } = fresh
      expect(context).toMatchObject({ root: digest, entries, bytes, read })
      expect([...context.trees.keys()].sort()).toEqual([...fresh.trees.keys()].sort())
      for (const [tree, { object, blobs }] of fresh.trees) {
        expect(context.trees.get(tree)?.object.toString()).toBe(object.toString())
        expect(context.trees.get(tree)?.blobs.toSorted()).toEqual(blobs.toSorted())
        for (const blob of blobs) {
          const file = context.blobs.get(blob)
          expect(file && readFileSync(file.path).length).toBe(file?.size)
        }
      }
      expect(context.blobs.has('0'.repeat(64))).toBe(false)
      // What is remembered of this walk is as good.
      await save()
      expect((await cached(root, ignore)).context.root).toBe(digest)
    }
  })

  it('does not take a folder for the one that had a file too young to be remembered', async () => {
    const root = join(scratch, 'young', 'root')
    mkdirSync(root, { recursive: true })
    writeFileSync(join(root, 'a'), 'a')
    await new Promise((resolve) => setTimeout(resolve, 2100))
    writeFileSync(join(root, 'young'), 'y')
    await (await cached(root)).save()
    rmSync(join(root, 'young'))
    expect((await cached(root)).context.root).toBe((await forgetful(root)).root)
  })
})
