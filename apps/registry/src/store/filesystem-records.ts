/** Records (records/keys.ts) as files: each written apart, synced, and renamed to where it is found. */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { isRepositoryId, parseRecordKey } from '../records/keys'
import { codeOf, syncDirectory, told } from './disk'
import type { StorePaths } from './paths'
import type { RecordWrite } from './store'

/** Syncs that wait together are one for the disk. */
const AT_ONCE = 16

export async function keepRecords(paths: StorePaths, records: readonly RecordWrite[]): Promise<void> {
  const touched = new Set<string>()
  const queue = records.values()
  const work = async () => {
    for (const { key, content } of queue) {
      const file = paths.record(key)
      if (content) for (const folder of await write(paths, file, content)) touched.add(folder)
      else if (await remove(file)) touched.add(path.dirname(file))
    }
  }
  try {
    // All to their end, also when one fails: nothing is written any more when somebody tries again.
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, work))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    for (const folder of touched) await syncDirectory(folder)
    // Now that nothing of theirs is written any more.
    const gone = records.filter(({ key, content }) => content === null && parseRecordKey(key)?.kind === 'repository')
    for (const { key } of gone) await removeFolders(path.dirname(paths.record(key)))
  } catch (error) {
    throw told(error)
  }
}

/** Resolves to the folders that are to be synced. */
async function write(paths: StorePaths, file: string, content: Uint8Array): Promise<string[]> {
  // Among the uploads: what a crash leaves there goes after a day.
  const apart = paths.upload(`rec_${randomBytes(10).toString('hex')}`)
  const folder = path.dirname(file)
  const made = await mkdir(folder, { recursive: true, mode: 0o700 })
  const handle = await open(apart, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    await handle.datasync()
  } catch (error) {
    await rm(apart, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  await rename(apart, file)
  return made === undefined ? [folder] : [folder, path.dirname(folder), paths.repositories]
}

/** False: there was none. */
const remove = (file: string): Promise<boolean> =>
  rm(file).then(
    () => true,
    (error: unknown) => {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false
      throw error
    },
  )

/** Of a repository that is gone; what somebody else has put there stays. */
async function removeFolders(folder: string): Promise<void> {
  for (const one of [path.join(folder, 'manifests'), path.join(folder, 'tags'), folder])
    await rmdir(one).catch((error: unknown) => {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error
    })
}

export async function readRecord(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(codeOf(error) ?? '')) return undefined
    throw told(error)
  }
}

export async function* listRecords(paths: StorePaths, repositoryId: string | undefined): AsyncIterable<string> {
  const ids = repositoryId === undefined ? await names(paths.repositories) : [repositoryId]
  for (const id of ids.filter(isRepositoryId).sort()) {
    const folder = path.join(paths.repositories, id)
    const found = [
      ...(await names(folder)),
      ...(await names(path.join(folder, 'manifests'))).map((name) => `manifests/${name}`),
      ...(await names(path.join(folder, 'tags'))).map((name) => `tags/${name}`),
    ]
    for (const name of found) if (parseRecordKey(`${id}/${name}`)) yield `${id}/${name}`
  }
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
    throw told(error)
  }
}
