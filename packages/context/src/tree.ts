/**
 * Takes: a folder of a checkout.
 * Gives: the names of its files and the texts of its manifests, as detection wants them; bounded in count, depth, size and time.
 */
import type { Dirent } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, isAppError } from '@slipway/core'
import {
  HEAD_LIMIT,
  MANIFEST_COUNT,
  MANIFEST_LIMIT,
  SKIPPED_FOLDERS,
  TREE_DEPTH,
  TREE_FILES,
  type Tree,
  wanted,
} from '@slipway/dockerfile/detect'
import { beneath, readTextBeneath } from './beneath'

/**
 * Breadth first, so that what is cut off is what lies deepest. A link to a manifest is read where it leads to inside of `root`; other
 * links are not followed. Throws FILE_TOO_LARGE for a manifest of the root; one further down is passed over.
 */
export async function readTree(root: string, signal: AbortSignal): Promise<Tree> {
  const files = new Set<string>()
  const texts = new Map<string, string>()
  let folders = ['']
  for (let depth = 0; depth <= TREE_DEPTH && folders.length > 0 && files.size < TREE_FILES; depth++) {
    const below: string[] = []
    for (const folder of folders) {
      signal.throwIfAborted()
      for (const entry of await entries(join(root, folder))) {
        const path = folder === '' ? entry.name : `${folder}/${entry.name}`
        if (entry.isDirectory()) {
          if (!SKIPPED_FOLDERS.has(entry.name) && below.length < TREE_FILES) below.push(path)
          continue
        }
        if (files.size >= TREE_FILES) break
        const kind = wanted(entry.name)
        if (!entry.isFile() && !(entry.isSymbolicLink() && kind && (await leadsInside(root, path)))) continue
        files.add(path)
        if (!kind || texts.size >= MANIFEST_COUNT) continue
        const text = await readManifest(root, path, kind, depth === 0)
        if (text !== null) texts.set(path, text)
      }
    }
    folders = below
  }
  return { files, texts }
}

/** Sorted: what is cut off must not depend on the disk. */
const entries = async (folder: string): Promise<Dirent[]> =>
  (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))

const leadsInside = (root: string, path: string) =>
  beneath(root, path, 'manifest').then(
    () => true,
    () => false,
  )

async function readManifest(root: string, path: string, kind: 'whole' | 'head', strict: boolean): Promise<string | null> {
  try {
    if (kind === 'whole') return await readTextBeneath(root, path, MANIFEST_LIMIT, 'manifest')
    const file = await open(await beneath(root, path, 'manifest'), 'r')
    try {
      if (!(await file.stat()).isFile()) return null
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_LIMIT), 0, HEAD_LIMIT, 0)
      return buffer.toString('utf8', 0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (!isAppError(error)) throw error
    if (strict && error.code === 'FILE_TOO_LARGE')
      throw new AppError({
        kind: 'too-large',
        code: 'FILE_TOO_LARGE',
        message: `${error.message} Commit a Dockerfile, so that nothing has to be detected.`,
        cause: error,
      })
    return null
  }
}
