/** An image as `docker save` gives it, flattened: what a container of it would see, and its config. */

import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import tar, { type Header } from 'tar-stream'

/** One entry as comparable text per property. */
export type Entry = Record<string, string>
export interface Image {
  files: Map<string, Entry>
  config: Record<string, unknown>
}

interface Member {
  header: Header
  data: Buffer
}

export const savedImage = async (socketPath: string, name: string): Promise<Image> =>
  await archivedImage(await get(socketPath, `/images/${encodeURIComponent(name)}/get`), name)

/** Of an archive as `docker save` writes it. */
export async function archivedImage(saved: Buffer, name: string): Promise<Image> {
  const archive = new Map<string, Buffer>()
  // Docker writes a layer that an image has twice once, and a link to it.
  const links = new Map<string, string>()
  for (const { header, data } of await members(saved))
    if (header.type === 'symlink') links.set(header.name, posix.join(posix.dirname(header.name), header.linkname ?? ''))
    else archive.set(header.name, data)
  const read = (path: string) => {
    const data = archive.get(links.get(path) ?? path)
    if (!data) throw new Error(`${path} is not in the archive of ${name}`)
    return data
  }
  const [manifest] = JSON.parse(read('manifest.json').toString()) as { Config: string; Layers: string[] }[]
  if (!manifest) throw new Error(`the archive of ${name} has no image`)
  const files = new Map<string, Entry>()
  for (const layer of manifest.Layers) {
    apply(files, await layerOf(read(layer)))
  }
  return { files, config: JSON.parse(read(manifest.Config).toString()) }
}

/** All images share their base's layer. */
const layers = new Map<string, Promise<Member[]>>()

function layerOf(data: Buffer): Promise<Member[]> {
  const digest = createHash('sha256').update(data).digest('hex')
  const known = layers.get(digest) ?? members(data[0] === 0x1f ? gunzipSync(data) : data)
  layers.set(digest, known)
  return known
}

const get = (socketPath: string, path: string): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const call = request({ socketPath, path, headers: { host: 'engine' }, timeout: 60_000 }, (response) => {
      buffer(response).then((data) => {
        if (response.statusCode === 200) resolve(data)
        else reject(new Error(`${path} answered ${response.statusCode}: ${data.toString().slice(0, 500)}`))
      }, reject)
    })
    call.once('timeout', () => call.destroy(new Error(`${path} did not answer`)))
    call.once('error', reject)
    call.end()
  })

async function members(archive: Buffer): Promise<Member[]> {
  const out: Member[] = []
  const extract = tar.extract()
  extract.on('entry', (header, stream, next) => {
    buffer(stream).then((data) => {
      out.push({ header, data })
      next()
    }, next)
  })
  await new Promise<void>((resolve, reject) => {
    extract.once('finish', () => resolve())
    extract.once('error', reject)
    Readable.from([archive]).pipe(extract)
  })
  return out
}

const DAY_MS = 86_400_000

/** Applies a layer's tar as the image-spec says: whiteouts first, a directory joins a directory, anything else replaces. */
function apply(files: Map<string, Entry>, layer: Member[]): void {
  const nameOf = (header: Header) =>
    `/${header.name
      .replace(/^(\.?\/)+/, '')
      .replace(/^\.$/, '')
      .replace(/\/+$/, '')}`
  const remove = (path: string, self: boolean) => {
    if (self) files.delete(path)
    const prefix = path === '/' ? '/' : `${path}/`
    for (const key of [...files.keys()]) if (key !== '/' && key.startsWith(prefix)) files.delete(key)
  }
  for (const { header } of layer) {
    const path = nameOf(header)
    const at = path.lastIndexOf('/')
    const [parent, name] = [path.slice(0, at) || '/', path.slice(at + 1)]
    if (name === '.wh..wh..opq') remove(parent, false)
    else if (name.startsWith('.wh.')) remove(`${parent === '/' ? '' : parent}/${name.slice(4)}`, true)
  }
  for (const { header, data } of layer) {
    const path = nameOf(header)
    if (path.slice(path.lastIndexOf('/') + 1).startsWith('.wh.')) continue
    if (header.type === 'link') {
      const target = `/${(header.linkname ?? '').replace(/^(\.?\/)+/, '')}`
      const first = files.get(target)
      if (!first) throw new Error(`${path} is a hard link to ${target}, which is not there`)
      remove(path, true)
      // Who is the same file: told by the first name of it.
      first.inode = first.inode ?? target
      files.set(path, first)
      continue
    }
    const type = header.type === 'contiguous-file' ? 'file' : (header.type ?? 'file')
    if (!(type === 'directory' && files.get(path)?.type === 'directory')) remove(path, true)
    files.set(path, entry(header, type, data))
  }
}

function entry(header: Header, type: string, data: Buffer): Entry {
  const out: Entry = {
    type,
    owner: `${header.uid}:${header.gid}`,
    // Of now: made by the build. Anything else was kept from somewhere, to the second.
    time: Date.now() - (header.mtime?.getTime() ?? 0) < DAY_MS ? 'of the build' : (header.mtime?.toISOString() ?? ''),
  }
  if (type !== 'symlink') out.mode = ((header.mode ?? 0) & 0o7777).toString(8)
  if (type === 'symlink') out.target = header.linkname ?? ''
  if (type === 'file') {
    out.size = String(data.length)
    out.content = data.length <= 200 ? JSON.stringify(data.toString('latin1')) : createHash('sha256').update(data).digest('hex')
  }
  if (type === 'character-device' || type === 'block-device') out.device = `${header.devmajor}:${header.devminor}`
  const capability = (header.pax as Record<string, string> | null)?.['SCHILY.xattr.security.capability']
  if (capability) out.capability = Buffer.from(capability).toString('hex')
  return out
}
