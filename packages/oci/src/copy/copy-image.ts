/**
 * Copies one image from a registry to another: what lies lowest goes first (blobs, then manifests, then indexes), the tag last, so that
 * the target never has a name for something that is not whole. What the target has is not moved, however often this is called; that is
 * also how a copy that was broken off goes on.
 *
 *   tag ─► index ─► manifest ─► config, layers          a target that has a manifest has what it names: registries see to that
 *            ▲         ▲
 *         referrers, referrers (SBOM, signature …), to a depth of `MAX_DEPTH`
 */
import { AppError } from '@slipway/core'
import { type FetchedManifest, MAX_MANIFEST } from '../client'
import { parseDigest } from '../digest'
import type { Descriptor, ImageManifest, ParsedManifest } from '../manifest'
import { isManifestType, isNonDistributable, MANIFEST_TYPES, OCI_INDEX } from '../media-types'
import { copyBlob } from './copy-blob'
import { onlyPlatforms } from './platforms'
import { retried } from './retry'
import type { CopyOptions, CopyProgress, CopyResult, Side } from './types'

/** Of indexes in indexes, and of what refers to what refers. */
const MAX_DEPTH = 4
const MAX_REFERRERS = 200
/** Of one image, with all that its indexes name and that refers to it: a source that always has another one is not followed. */
const MAX_MANIFESTS = 2000
const MAX_BLOBS = 50_000
const DEFAULT_CONCURRENCY = 3
const ATTACHED_BY_TAG = ['sig', 'att', 'sbom']

/** `reference`: a tag or a digest at the source; `tag`: at the target, null: by its digest only. */
export async function copyImage(
  source: Side,
  target: Side,
  names: { reference: string; tag: string | null },
  options: CopyOptions,
): Promise<CopyResult> {
  const copy = new Copy(source, target, options)
  const { platforms = [] } = options
  const found = await copy.read(names.reference)
  const root = platforms.length === 0 ? found : await onlyPlatforms(found, platforms, (digest) => copy.read(digest))
  await copy.tree(root, names.tag, 0)
  return { ...copy.progress, digest: root.digest, manifests: copy.manifests }
}

class Copy {
  readonly progress: CopyProgress = { blobs: 0, bytes: 0, moved: { blobs: 0, bytes: 0 }, skipped: { blobs: 0, bytes: 0 } }
  manifests = 0
  /** Blobs and manifests whose turn has come: images of an index share many. */
  readonly #seen = new Set<string>()
  #read = 0

  constructor(
    readonly source: Side,
    readonly target: Side,
    readonly options: CopyOptions,
  ) {}

  read(reference: string): Promise<FetchedManifest> {
    return retried(() => this.source.client.getManifest(this.source.repository, reference), this.options)
  }

  /** A manifest with everything beneath it and everything that refers to it. */
  async tree(found: FetchedManifest, tag: string | null, depth: number): Promise<void> {
    if (depth > MAX_DEPTH) throw tooDeep(found.digest)
    if (++this.#read > MAX_MANIFESTS) throw tooMuch(found.digest, `${MAX_MANIFESTS} manifests`)
    const there = await this.#targetHas(tag ?? found.digest)
    this.#seen.add(found.digest)
    if (there !== found.digest) {
      await this.#beneath(found.parsed, depth)
      await this.#put(found, tag)
    } else if (found.parsed.kind === 'image') this.#count(found.parsed.manifest)
    // What refers to its images may be new.
    else if (this.options.referrers !== false) await this.#beneath(found.parsed, depth)
    if (this.options.referrers !== false) await this.#referrers(found, depth)
  }

  #targetHas(reference: string): Promise<string | undefined> {
    return retried(() => this.target.client.resolve(this.target.repository, reference), this.options)
  }

  async #beneath(parsed: ParsedManifest, depth: number): Promise<void> {
    if (parsed.kind === 'image') return this.#blobs(parsed.manifest.config, parsed.manifest.layers)
    for (const child of parsed.manifest.manifests) {
      if (this.#seen.has(child.digest)) continue
      // Of an image that the source has no bytes of (a sparse index), the target gets none either.
      if (!isManifestType(child.mediaType)) await this.#blobs(child, [])
      else {
        const found = await this.#ifThere(child.digest)
        if (found) await this.tree(found, null, depth + 1)
      }
    }
  }

  async #ifThere(digest: string): Promise<FetchedManifest | undefined> {
    try {
      return await this.read(digest)
    } catch (error) {
      if (error instanceof AppError && error.code === 'MANIFEST_UNKNOWN') return undefined
      throw error
    }
  }

  async #blobs(config: Descriptor, layers: readonly Descriptor[]): Promise<void> {
    const todo: Descriptor[] = []
    for (const blob of [config, ...layers]) {
      if (this.#seen.has(blob.digest) || isNonDistributable(blob.mediaType)) continue
      this.#seen.add(blob.digest)
      todo.push(blob)
      this.progress.blobs++
      this.progress.bytes += blob.size
    }
    if (this.progress.blobs > MAX_BLOBS) throw tooMuch(config.digest, `${MAX_BLOBS} blobs`)
    this.#tell()
    let failed: unknown
    const worker = async () => {
      for (let blob = todo.shift(); blob && failed === undefined; blob = todo.shift()) {
        try {
          await this.#blob(blob)
        } catch (error) {
          failed ??= error
        }
      }
    }
    await Promise.all(Array.from({ length: this.options.concurrency ?? DEFAULT_CONCURRENCY }, worker))
    if (failed !== undefined) throw failed
  }

  async #blob(blob: Descriptor): Promise<void> {
    const { moved, skipped } = this.progress
    const outcome = await copyBlob(this.source, this.target, blob, this.options, (bytes) => {
      moved.bytes += bytes
      this.#tell()
    })
    this.options.onBlob?.(blob.digest)
    if (outcome === 'moved') moved.blobs++
    else {
      skipped.blobs++
      skipped.bytes += blob.size
    }
    this.#tell()
  }

  /** What a manifest names that the target has: nothing of it moves. */
  #count({ config, layers }: ImageManifest): void {
    for (const blob of [config, ...layers]) {
      if (this.#seen.has(blob.digest) || isNonDistributable(blob.mediaType)) continue
      this.#seen.add(blob.digest)
      this.progress.blobs++
      this.progress.bytes += blob.size
      this.progress.skipped.blobs++
      this.progress.skipped.bytes += blob.size
    }
    this.#tell()
  }

  async #put({ digest, bytes, parsed }: FetchedManifest, tag: string | null): Promise<void> {
    const { client, repository } = this.target
    const body = Uint8Array.from(bytes)
    const headers = { 'content-type': parsed.mediaType }
    const knowsSubjects = await retried(async () => {
      const answer = await client.request('PUT', repository, `manifests/${tag ?? digest}`, headers, { push: true, body })
      await answer.body?.cancel()
      return answer.headers.has('oci-subject')
    }, this.options)
    this.manifests++
    const { subject } = parsed.manifest
    if (subject && !knowsSubjects) await this.#noteReferrer(subject.digest, { digest, size: bytes.byteLength, parsed })
  }

  async #referrers(subject: FetchedManifest, depth: number): Promise<void> {
    const { client, repository } = this.source
    const found = await retried(() => client.referrers(repository, subject.digest, undefined, MAX_REFERRERS), this.options)
    for (const { digest } of found) {
      if (this.#seen.has(digest)) continue
      const referrer = await this.#ifThere(digest)
      if (referrer) await this.tree(referrer, null, depth + 1)
    }
    await this.#attachedByTag(subject.digest, depth)
  }

  /** What cosign attaches, which no list of referrers has. */
  async #attachedByTag(subject: string, depth: number): Promise<void> {
    const { client, repository } = this.source
    for (const kind of ATTACHED_BY_TAG) {
      const tag = `${subject.replace(':', '-')}.${kind}`
      const digest = await retried(() => client.resolve(repository, tag), this.options)
      const found = digest === undefined || this.#seen.has(digest) ? undefined : await this.#ifThere(digest)
      if (found) await this.tree(found, tag, depth + 1)
    }
  }

  /** For a target without the referrers API: the index under the fallback tag, as clients keep it ("Referrers Tag Schema"). */
  async #noteReferrer(subject: string, referrer: { digest: string; size: number; parsed: ParsedManifest }): Promise<void> {
    const { client, repository } = this.target
    const { algorithm, hex } = parseDigest(subject)
    const tag = `${algorithm}-${hex.slice(0, 64)}`
    const listed = await retried(async () => {
      const answer = await client.request('GET', repository, `manifests/${tag}`, { accept: MANIFEST_TYPES.join(', ') }, { alsoFine: [404] })
      if (answer.status !== 404) return (await client.getManifest(repository, tag)).parsed
      await answer.body?.cancel()
      return undefined
    }, this.options)
    const before = listed?.kind === 'index' ? listed.manifest.manifests : []
    if (before.some(({ digest }) => digest === referrer.digest)) return
    const { mediaType, manifest } = referrer.parsed
    const artifactType = manifest.artifactType ?? ('config' in manifest ? manifest.config.mediaType : undefined)
    const { annotations } = manifest
    const entry = {
      mediaType,
      digest: referrer.digest,
      size: referrer.size,
      ...(artifactType && { artifactType }),
      ...(annotations && { annotations }),
    }
    const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...before, entry] }))
    if (bytes.byteLength > MAX_MANIFEST) return
    await retried(() => client.putManifest(repository, bytes, OCI_INDEX, tag), this.options)
  }

  #tell(): void {
    this.options.onProgress?.(this.progress)
  }
}

const tooDeep = (digest: string) =>
  new AppError({
    kind: 'bad-input',
    code: 'IMAGE_TOO_DEEP',
    message: `The image ${digest} has indexes in indexes more than ${MAX_DEPTH} deep. It is not copied.`,
  })

const tooMuch = (digest: string, what: string) =>
  new AppError({
    kind: 'bad-input',
    code: 'IMAGE_TOO_LARGE',
    message: `The image has more than ${what}, the last of them at ${digest}. It is not copied.`,
  })

/** Tags that name a digest instead of a version: what they attach comes along with what it refers to. */
export const isReferrersTag = (tag: string): boolean => /^sha(256|512)-[0-9a-f]{64}(\.(sig|att|sbom))?$/.test(tag)
