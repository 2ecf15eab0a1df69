import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { AppError } from '@slipway/core'

/** `<secrets>/master.key`: 32 random bytes, mode 0600, made by the first start. It is never made here: a new one would open nothing. */
export function readMasterKey(secretsDir: string): Uint8Array {
  const file = path.join(secretsDir, 'master.key')
  try {
    const { mode } = statSync(file)
    if ((mode & 0o077) !== 0) throw new Error(`mode ${(mode & 0o777).toString(8)} lets other users read it`)
    const key = readFileSync(file)
    if (key.length !== 32) throw new Error(`${key.length} bytes instead of 32`)
    return key
  } catch (cause) {
    throw new AppError({
      kind: 'internal',
      code: 'MASTER_KEY_UNREADABLE',
      message: 'The master key of this installation cannot be read. Check the file master.key in the secrets folder: 32 bytes, mode 0600.',
      cause,
    })
  }
}
