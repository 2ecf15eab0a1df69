/**
 * The thread that writes and hashes uploads (see ingest-thread.ts, which starts it and documents the messages). Plain
 * JavaScript and nothing but Node, as it is started from a file of its own.
 *
 * It writes without waiting: into the kernel's memory, which takes as long as copying. What does wait for the disk, syncing, is
 * not done here.
 */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, ftruncateSync, openSync, writevSync } from 'node:fs'
import { MessageChannel, parentPort } from 'node:worker_threads'

/** Running digests kept in memory; an upload whose digest was forgotten is read again when it is sealed. */
const MAX_RUNNING = 4096

/** @type {Map<string, { fd: number, size: number, digest: import('node:crypto').Hash | undefined }>} files being written */
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
    open.set(key, { fd, size, digest })
    return size
  },

  write({ key, chunks }) {
    const file = open.get(key)
    if (!file) throw new Error(`${key} is not being written`)
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
    }
    nobody.postMessage(
      null,
      chunks.map((chunk) => chunk.buffer),
    )
    return file.size
  },

  /** Resolves to the file's size and, if it is known, its sha256 in hex. */
  end({ key }) {
    const file = open.get(key)
    if (!file) throw new Error(`${key} is not being written`)
    open.delete(key)
    closeSync(file.fd)
    if (file.digest) {
      running.set(key, { digest: file.digest, bytes: file.size })
      const oldest = running.keys().next().value
      if (running.size > MAX_RUNNING && oldest !== undefined) running.delete(oldest)
    }
    return { size: file.size, sha256: file.digest?.copy().digest('hex') }
  },
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

parentPort?.on('message', ({ id, command, ...given }) => {
  try {
    parentPort?.postMessage({ id, value: commands[command](given) })
  } catch (error) {
    parentPort?.postMessage({ id, failed: { message: String(error?.message), code: error?.code } })
  }
})
