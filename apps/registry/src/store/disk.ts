/** What the disk says, for the stores on one. */
import { closeSync, fsync as nodeFsync, open as nodeOpen } from 'node:fs'
import { stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { StoreFullError, StoreUnavailableError } from './store'

const [openFile, syncAll] = [promisify(nodeOpen), promisify(nodeFsync)]

/** What was placed in it or renamed stays there when the machine stops now. */
export async function syncDirectory(folder: string): Promise<void> {
  const file = await openFile(folder, 'r')
  try {
    await syncAll(file)
  } finally {
    closeSync(file)
  }
}

export async function statOrNone(file: string) {
  try {
    return await stat(file)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

export const codeOf = (error: unknown) => (error as NodeJS.ErrnoException | null)?.code
const FULL = new Set(['ENOSPC', 'EDQUOT'])
/** The disk does not do what it is asked: it broke, was taken away, or was made read-only, as Linux does to one with errors. */
const AWAY = new Set(['EIO', 'EROFS', 'ENODEV', 'ENXIO', 'ESTALE', 'ETIMEDOUT', 'EACCES', 'EPERM', 'EMFILE', 'ENFILE'])

/** Errors of the disk as callers know them; all others as they are. */
export function told(error: unknown): unknown {
  const code = codeOf(error) ?? ''
  if (FULL.has(code)) return new StoreFullError(error)
  return AWAY.has(code) ? new StoreUnavailableError(code, error) : error
}
