/**
 * The thread that writes and hashes uploads (see ingest-thread.ts, which starts it and documents the messages). Plain
 * JavaScript and nothing but Node, as it is started from a file of its own.
 *
 * It writes without waiting: into the kernel's memory, which takes as long as copying. The syncing that an upload waits for is not
 * done here; but of a large one the disk is sent what has come while more comes, so that in the end there is little left to wait for.
 */
import { createHash } from 'node:crypto'
import { closeSync, fdatasync, fstatSync, ftruncateSync, openSync, writevSync } from 'node:fs'
import { MessageChannel, parentPort } from 'node:worker_threads'

/** Smaller uploads are synced once, at their end: two commits of the file system's journal would take longer. */
const SYNC_EVERY_BYTES = 16 * 1024 * 1024

/** Running digests kept in memory; an upload whose digest was forgotten is read again when it is sealed. */
const MAX_RUNNING = 4096

/** @type {Map<string, { fd: number, size: number, digest: import('node:crypto').Hash | undefined, unsynced: number, syncing?: Promise<void>, failed?: Error }>} files being written */
const open = new Map()
/** @type {Map<string, { digest: import('node:crypto').Hash, bytes: number }>} sha256 over the first bytes of uploads */
const running = new Map()

/**
 * What is sent to a closed port is freed at once. Left to the collector of garbage, which sees only that this thread's own heap is
 * small, up to 64 MB of pieces lay about: memory that the next pieces then were not read into while it was in the processor's cache.
 */
const { port1: nobody } = new MessageChannel()
nobody.close()

const commands = {
  /** Resolves to the file's size. */
  begin({ key, path }) {
    const fd = openSync(path, 'a', 0o600)
    const { size } = fstatSync(fd)
    const known = running.get(key)
    // A digest over other than exactly what lies there is worth nothing.
    const digest = known?.bytes === size ? known.digest : size === 0 ? createHash('sha256') : undefined
    running.delete(key)
    open.set(key, { fd, size, digest, unsynced: 0 })
    return size
  },

  /** Resolves to nothing, or to what `end` does. */
  write({ key, chunks, end }) {
    const file = open.get(key)
    if (!file) throw new Error(`${key} is not being written`)
    if (file.failed) throw file.failed
    try {
      writeAll(file.fd, chunks)
    } catch (error) {
      // Part of it may lie there; cut it off, so that the size told to the client is what was hashed.
      file.digest = undefined
      ftruncateSync(file.fd, file.size)
      throw error
    }
    for (const chunk of chunks) {
      file.digest?.update(chunk)
      file.size += chunk.byteLength
      file.unsynced += chunk.byteLength
    }
    if (file.unsynced >= SYNC_EVERY_BYTES) startSync(file)
    nobody.postMessage(
      null,
      chunks.map((chunk) => chunk.buffer),
    )
    return end ? commands.end({ key }) : undefined
  },

  /** Resolves to the file's size and, if it is known, its sha256 in hex. */
  async end({ key }) {
    const file = open.get(key)
    if (!file) throw new Error(`${key} is not being written`)
    open.delete(key)
    await file.syncing
    closeSync(file.fd)
    if (file.failed) throw file.failed
    if (file.digest) {
      running.set(key, { digest: file.digest, bytes: file.size })
      const oldest = running.keys().next().value
      if (running.size > MAX_RUNNING && oldest !== undefined) running.delete(oldest)
    }
    return { size: file.size, sha256: file.digest?.copy().digest('hex') }
  },
}

/**
 * Linux tells of a failed write to who syncs first, and nobody who opens the file after that, while what it remembers of the file still
 * has the right digest: so the upload loses its bytes and its request fails.
 */
function startSync(file) {
  if (file.syncing) return
  file.unsynced = 0
  file.syncing = new Promise((resolve) => {
    fdatasync(file.fd, (error) => {
      if (error) {
        file.failed = error
        file.digest = undefined
        file.size = 0
        try {
          ftruncateSync(file.fd, 0)
        } catch {
          // The disk is away; what lies there is compared with its digest when it is back.
        }
      }
      file.syncing = undefined
      resolve()
    })
  })
}

/** writev may write less than asked (a full disk does that first); the rest then fails with the reason. */
function writeAll(fd, chunks) {
  let rest = chunks
  while (rest.length > 0) {
    let written = writevSync(fd, rest)
    while (rest.length > 0 && written >= rest[0].byteLength) {
      written -= rest[0].byteLength
      rest = rest.slice(1)
    }
    if (rest.length > 0) rest = [rest[0].subarray(written), ...rest.slice(1)]
  }
}

parentPort?.on('message', async ({ id, command, ...given }) => {
  try {
    const done = commands[command](given)
    parentPort?.postMessage({ id, value: done instanceof Promise ? await done : done })
  } catch (error) {
    parentPort?.postMessage({ id, failed: { message: String(error?.message), code: error?.code } })
  }
})
