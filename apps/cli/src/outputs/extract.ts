/**
 * Takes: a tar of an image's files. Gives: the files beneath a folder, the caller's own, as docker buildx leaves them.
 *
 * Nothing is written outside of the folder, whatever the tar or the folder holds: names are taken apart, and what is no folder where a
 * folder is needed (a symlink, above all) is replaced by one, never followed. Somebody who changes the folder meanwhile may still cheat.
 */
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  type Stats,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { extract, type Header } from 'tar-stream'
import { CliError, EXIT } from '../errors'
import { plain } from '../output'

/** More than any image has; a stream that goes on for ever ends here. */
const MAX_ENTRIES = 5_000_000

export interface Extracted {
  files: number
  bytes: number
  /** Devices and the like, which only root can make. */
  skipped: number
}

export async function extractTree(tar: Readable, folder: string): Promise<Extracted> {
  mkdirSync(folder, { recursive: true })
  const done: Extracted = { files: 0, bytes: 0, skipped: 0 }
  // Last, because one that may not be written to, or that changes, would be in the way.
  const folders = new Map<string, Header>()
  let entries = 0
  const reading = extract()
  const writing = (async () => {
    for await (const entry of reading) {
      const { header } = entry
      if (++entries > MAX_ENTRIES) throw refused('it has too many entries')
      const parts = partsOf(header.name)
      if (header.type === 'directory') {
        directory(folder, parts)
        if (parts.length > 0) folders.set(join(folder, ...parts), header)
      } else if (parts.length > 0) {
        const path = place(folder, parts)
        if (header.type === 'file' || header.type === 'contiguous-file') {
          done.files += 1
          done.bytes += await file(path, header, entry as AsyncIterable<Uint8Array>)
        } else if (header.type === 'symlink') symlinkSync(header.linkname ?? '', path)
        else if (header.type === 'link') hardLink(folder, partsOf(header.linkname ?? ''), path)
        else done.skipped += 1
      }
      entry.resume()
    }
  })()
  const [sent, written] = await Promise.allSettled([pipeline(tar, reading), writing])
  // What could not be written is why the rest was not read.
  if (written.status === 'rejected' && written.reason instanceof CliError) throw written.reason
  if (sent.status === 'rejected') throw cut(written.status === 'rejected' ? written.reason : sent.reason)
  if (written.status === 'rejected') throw written.reason
  for (const [path, header] of [...folders].reverse()) dress(path, header, 0o700)
  return done
}

/** `./usr/bin/` → usr, bin. */
function partsOf(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..') || name.includes('\0')) throw refused(`it names ${plain(name).slice(0, 200)}`)
  return parts
}

const cut = (cause: unknown) =>
  new CliError(
    EXIT.failed,
    'OUTPUT_CUT',
    `The image was not written to its end: ${plain(cause instanceof Error ? cause.message : String(cause))}.`,
    'What is there is a part of it. Run the same again.',
    cause,
  )
const refused = (what: string) => new CliError(EXIT.failed, 'OUTPUT_REFUSED', `The image cannot be written to a folder: ${what}.`)

/** Every part of it is a real directory then. */
function directory(folder: string, parts: readonly string[]): string {
  let path = folder
  for (const part of parts) {
    path = join(path, part)
    const found = lstat(path)
    if (found?.isDirectory()) continue
    if (found) rmSync(path)
    mkdirSync(path, { mode: 0o700 })
  }
  return path
}

/** Where an entry goes; nothing is there then. */
function place(folder: string, parts: readonly string[]): string {
  const path = join(directory(folder, parts.slice(0, -1)), parts.at(-1) ?? '')
  if (lstat(path)) rmSync(path, { recursive: true })
  return path
}

const lstat = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false })

async function file(path: string, header: Header, content: AsyncIterable<Uint8Array>): Promise<number> {
  // Fails where something appeared meanwhile, symlinks included.
  const fd = openSync(path, 'wx', 0o600)
  let size = 0
  try {
    for await (const chunk of content) {
      for (let written = 0; written < chunk.length; ) written += writeSync(fd, chunk, written)
      size += chunk.length
    }
  } finally {
    closeSync(fd)
  }
  dress(path, header, 0)
  return size
}

function hardLink(folder: string, parts: readonly string[], path: string): void {
  const target = join(folder, ...parts)
  const plainDirectories = parts.slice(0, -1).every((_, i) => lstat(join(folder, ...parts.slice(0, i + 1)))?.isDirectory())
  if (!plainDirectories || !lstat(target)?.isFile())
    throw refused(`a hard link to ${plain(parts.join('/')).slice(0, 200)} leads to no file of it`)
  linkSync(target, path)
}

/** No setuid: the owner is another one here. */
function dress(path: string, header: Header, atLeast: number): void {
  chmodSync(path, ((header.mode ?? 0o755) & 0o777) | atLeast)
  if (header.mtime) utimesSync(path, header.mtime, header.mtime)
}
