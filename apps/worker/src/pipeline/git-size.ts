import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@slipway/core'

const LOOK_EVERY_MS = 1000

/** Fires when the files beneath a folder grow too large: git knows no limit of its own, and a small pack may unpack to a full disk. */
export function limitBytes(directory: string, max: number, signal: AbortSignal): { signal: AbortSignal; end: () => void } {
  const control = new AbortController()
  let looking = false
  const look = setInterval(async () => {
    if (looking) return
    looking = true
    if ((await sizeOf(directory)) > max) {
      const message = `A Git repository of this build has more than ${max / 1024 ** 3} GiB with what git keeps beside its files. Use a smaller one.`
      control.abort(new AppError({ kind: 'too-large', code: 'CONTEXT_TOO_LARGE', message }))
    }
    looking = false
  }, LOOK_EVERY_MS)
  return { signal: AbortSignal.any([signal, control.signal]), end: () => clearInterval(look) }
}

/** Bytes of all files; what vanishes meanwhile counts nothing. */
async function sizeOf(directory: string): Promise<number> {
  let sum = 0
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true }).catch(() => []))
    if (entry.isFile())
      sum += await stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      )
  return sum
}
