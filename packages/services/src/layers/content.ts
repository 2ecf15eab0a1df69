/** The content of single files, read from the registry's blob through the agent, which knows how to read a hostile archive. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { AppError, formatBytes } from '@slipway/core'
import { RegistryClient, signRegistryToken } from '@slipway/oci'
import type { Deps } from '../deps'
import type { Scope } from '../scope'
import { type LayerDocument, rowOf } from './document'
import type { Loaded, Loader } from './load'
import type { FilesService } from './service'
import { find, type Tree } from './tree'
import { noFile } from './view'

const MAX_TEXT = 1024 * 1024
/** The whole layer may have to be unpacked up to the file. */
const TEXT_DEADLINE_MS = 60_000
const TOKEN_SECONDS = 60

export const textMethod =
  (deps: Deps, loader: Loader): FilesService['text'] =>
  async (scope, { path: name, layer: wanted, ...image }) => {
    const loaded = await loader.load(scope, image)
    const { layer, row, document } = fileAt(await loader.tree(loaded), name, wanted)
    const size = document.sizes[row] as number
    if (size > MAX_TEXT) throw tooLarge(name, size)
    const stream = await open(deps, scope, loaded, layer, document.entries[row] as number, AbortSignal.timeout(TEXT_DEADLINE_MS))
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      if (length > size) break
    }
    const bytes = Buffer.concat(chunks)
    const half = createHash('sha256').update(bytes).digest().subarray(0, 16)
    if (!half.equals(document.digests.subarray(row * 16, row * 16 + 16))) throw changed(name)
    return { path: name, layer, size, text: textOf(bytes, name) }
  }

export const downloadMethod =
  (deps: Deps, loader: Loader): FilesService['download'] =>
  async (scope, { path: name, layer: wanted, ...image }, signal) => {
    const loaded = await loader.load(scope, image)
    const { layer, row, document } = fileAt(await loader.tree(loaded), name, wanted)
    const stream = await open(deps, scope, loaded, layer, document.entries[row] as number, signal)
    const last = name.slice(name.lastIndexOf('/') + 1)
    return { stream, filename: last.replace(/[^\w.-]+/g, '-') || 'file' }
  }

/** A hard link is its file, which the same layer brings. */
function fileAt(tree: Tree, name: string, wanted?: number): { layer: number; row: number; document: LayerDocument } {
  const node = find(tree, name)
  const layer = wanted ?? node?.layer
  const document = layer === undefined ? undefined : tree.layers[layer]
  if (!document || layer === undefined) throw noFile(name)
  let row = layer === node?.layer ? node.row : rowOf(document, name)
  if (row === undefined || row < 0) throw noFile(name)
  if (document.kinds[row] === 'h') row = rowOf(document, document.links.get(row) ?? '')
  if (row === undefined) throw noFile(name)
  if (document.kinds[row] === 'l') throw isLink(name, document.links.get(row) ?? '')
  if (document.kinds[row] !== 'f') throw noContent(name)
  return { layer, row, document }
}

async function open(deps: Deps, scope: Scope, loaded: Loaded, layer: number, entry: number, signal: AbortSignal): Promise<Readable> {
  const digest = loaded.layers[layer]?.digest as string
  const name = `${scope.organization}/${loaded.repository.name}`
  const key = readFileSync(path.join(deps.config.secretsDir, 'registry-token.pem'), 'utf8')
  const access = [{ type: 'repository' as const, name, actions: ['pull' as const] }]
  const bearer = await signRegistryToken({ sub: 'system:web', access, ttlSeconds: TOKEN_SECONDS }, key)
  const client = new RegistryClient({ baseUrl: deps.config.registryUrl, credentials: { bearer } })
  const blob = Readable.fromWeb((await client.streamBlob(name, digest)) as ReadableStream<Uint8Array>)
  return deps.agent.layers.file(blob, entry, signal)
}

function textOf(bytes: Buffer, name: string): string {
  try {
    if (!bytes.includes(0)) return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw notText(name, cause)
  }
  throw notText(name)
}

const refuse = (code: string, message: string, cause?: unknown) => new AppError({ kind: 'bad-input', code, message, cause })
const tooLarge = (name: string, size: number) =>
  refuse('FILE_TOO_LARGE', `/${name} has ${formatBytes(size)}; up to 1 MB is shown. Download it to look at it.`)
const notText = (name: string, cause?: unknown) => refuse('FILE_NOT_TEXT', `/${name} is no text. Download it to look at it.`, cause)
const isLink = (name: string, target: string) =>
  refuse('FILE_IS_LINK', `/${name} is a link to ${target.slice(0, 500)}. Open what it leads to.`)
const noContent = (name: string) => refuse('FILE_HAS_NO_CONTENT', `/${name} is a directory, a device or a pipe. Choose a file.`)
const changed = (name: string) =>
  new AppError({
    kind: 'unavailable',
    code: 'FILE_CHANGED',
    message: `/${name} did not come as it was when the layer was read. Try again; if it stays so, the blob is damaged: push the image again.`,
  })
