import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import path from 'node:path'

/** What Git's dumb HTTP protocol asks of a bare repository, and nothing else. */
const FILES = /^(?:HEAD|info\/refs|objects\/info\/packs|objects\/[0-9a-f]{2}\/[0-9a-f]{38}|objects\/pack\/pack-[0-9a-f]{40}\.(?:pack|idx))$/
const REPOSITORY = /^[a-z0-9][a-z0-9-]{0,40}\.git$/
const MAX_BYTES = 32 * 1024 * 1024

/** A file of `<data>/examples/<name>.git`, or null for everything that is no part of a repository. */
export async function readExample(dataDir: string, segments: string[]): Promise<Buffer<ArrayBuffer> | null> {
  const [repository = '', ...rest] = segments
  const file = rest.join('/')
  if (!REPOSITORY.test(repository) || !FILES.test(file)) return null
  try {
    // Repositories hold no symbolic links; one that someone puts there is not followed.
    const handle = await open(path.join(dataDir, 'examples', repository, file), constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      const { size } = await handle.stat()
      if (size > MAX_BYTES) return null
      const bytes = Buffer.alloc(size)
      let read = 0
      while (read < size) {
        const { bytesRead } = await handle.read(bytes, read, size - read, read)
        if (bytesRead === 0) return null
        read += bytesRead
      }
      return bytes
    } finally {
      await handle.close()
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'EISDIR') return null
    throw error
  }
}
