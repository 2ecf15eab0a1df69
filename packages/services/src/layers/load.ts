/** From an image of the organization to its merged files: nobody comes to a layer but through a repository of theirs that links it. */
import type { views } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { layerDocuments, layerStates, linkedBlobSizes, type ManifestRow, type RepositoryRow } from '@slipway/db'
import { isIndexType } from '@slipway/oci'
import { type Deps, startJob } from '../deps'
import { loadImage } from '../images/load'
import type { Scope } from '../scope'
import { createCache } from './cache'
import { keptDocument, type LayerDocument } from './document'
import { mergeLayers, type Tree } from './tree'

export interface Loaded {
  repository: RepositoryRow
  manifest: ManifestRow
  layers: views.ImageFilesView['layers']
  state: views.ImageFilesView['state']
}

/** Bytes in memory, about. One image of 100,000 files takes 30 MB. */
const TREES = 256 * 1024 * 1024
const DOCUMENTS = 64 * 1024 * 1024
/** Files and directories of one image, all layers together. */
const MAX_ENTRIES = 1_500_000
/** As the sweep has it: after these the worker gives up. */
const TRIES = 6

export type Loader = ReturnType<typeof createLoader>

export function createLoader(deps: Deps) {
  // By digest: whoever asks has come to it through a repository of their own that links the blob, and a digest has one content.
  const trees = createCache<Tree>(TREES, (tree) => tree.weight + 10_000)
  const documents = createCache<LayerDocument>(DOCUMENTS, (document) => document.length * 150 + 1000)

  async function document(digest: string): Promise<LayerDocument> {
    return documents.get(digest, async () => {
      const packed = (await layerDocuments(deps.db, [digest])).get(digest)
      if (!packed) throw notRead()
      return keptDocument(packed)
    })
  }

  async function load(scope: Scope, input: { repository: string; reference: string }): Promise<Loaded> {
    const { repository, manifest } = await loadImage(deps.db, scope, input)
    const digests = manifest.layers.map((layer) => layer.digest)
    // A manifest may name any layer that lies elsewhere (image-spec's non-distributable ones): what the repository does not link is
    // somebody else's, and told as one that is nowhere.
    const [states, linked] = await Promise.all([layerStates(deps.db, digests), linkedBlobSizes(deps.db, repository.id, digests)])
    const known = new Map(states.filter((one) => linked.has(one.digest)).map((one) => [one.digest, one]))
    const layers = manifest.layers.map(({ position, digest, mediaType }): Loaded['layers'][number] => {
      const one = known.get(digest)
      const none = { position, digest, entries: null, bytes: null }
      if (one?.state === 'ready') return { ...none, state: 'ready', entries: one.entries, bytes: Number(one.bytes), error: null }
      if (!mediaType.includes('tar'))
        return { ...none, state: 'refused', error: `It is no archive of files, but ${mediaType.slice(0, 100)}.` }
      if (!linked.has(digest)) return { ...none, state: 'refused', error: 'It is not kept in this registry.' }
      if (one?.state === 'refused') return { ...none, state: 'refused', error: one.error }
      if (one && one.attempts >= TRIES) return { ...none, state: 'failed', error: one.error }
      return { ...none, state: 'waiting', error: one?.error ?? null }
    })
    const has = (state: string) => layers.some((layer) => layer.state === state)
    const isIndex = isIndexType(manifest.mediaType)
    const state = isIndex ? 'index' : has('waiting') ? 'waiting' : has('failed') || has('refused') ? 'failed' : 'ready'
    return { repository, manifest, layers, state }
  }

  return {
    load,
    document,
    async ask({ layers }: Loaded): Promise<void> {
      const waiting = new Set(layers.filter((layer) => layer.state === 'waiting').map((layer) => layer.digest))
      await Promise.all([...waiting].map((digest) => startJob(deps, 'layer', { layer: digest.replace(':', '-') })))
    },
    async tree(loaded: Loaded): Promise<Tree> {
      if (loaded.state === 'index') throw isIndex()
      if (loaded.state === 'waiting') throw notRead()
      if (loaded.layers.reduce((sum, layer) => sum + (layer.entries ?? 0), 0) > MAX_ENTRIES) throw tooLarge()
      const read = loaded.layers.map((layer) => (layer.state === 'ready' ? '1' : '0')).join('')
      return trees.get(`${loaded.manifest.digest} ${read}`, async () => {
        const parts: (LayerDocument | null)[] = []
        for (const layer of loaded.layers) parts.push(layer.state === 'ready' ? await document(layer.digest) : null)
        return mergeLayers(parts)
      })
    },
  }
}

const notRead = () =>
  new AppError({
    kind: 'unavailable',
    code: 'LAYERS_NOT_READ',
    message: 'The layers of this image are being read. Try again in a few seconds.',
  })
const isIndex = () =>
  new AppError({
    kind: 'bad-input',
    code: 'IMAGE_IS_INDEX',
    message: 'This is an index of several platforms, which has no files of its own. Choose one of its platforms.',
  })
const tooLarge = () =>
  new AppError({
    kind: 'too-large',
    code: 'IMAGE_TOO_MANY_FILES',
    message: `This image has more than ${MAX_ENTRIES.toLocaleString('en')} files, more than can be shown. Download it to look at it.`,
  })
