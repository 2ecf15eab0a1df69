/** One manifest: its bytes against its digest, the rows that were made of them against them, and its blobs against its links. */
import {
  blobsOfManifest,
  isToldOf,
  type ManifestParts,
  type ManifestWithParts,
  rebuildManifest,
  relinkBlob,
  setManifestContent,
  tellRecords,
} from '@slipway/db'
import { type Descriptor, isImageConfigType, type ParsedManifest, parseDigest, parseManifest } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import type { Registry } from '../context'
import { readManifestRecord } from '../records/record'
import { artifactTypeOf, imageParts, indexParts } from '../routes/manifest-put'
import type { Report } from './verifier'

type Context = Pick<Registry, 'db' | 'store' | 'log' | 'integrity'>

export async function checkManifest(context: Context, row: ManifestWithParts, repair: boolean, report: Report): Promise<void> {
  const subject = `${row.repository.organization.slug}/${row.repository.name}@${row.digest}`
  const content = await checkContent(context, row, { subject, repair, report })
  if (!content) return
  const parsed = parseManifest(content, row.mediaType)
  // Links first: without its own, the configuration cannot be read for the rest.
  await checkLinks(context, row, parsed, { subject, repair, report })
  const expected = await expectedParts(context, row, parsed)
  if (sameParts(row, expected)) return
  // Once more while nothing else may change it: it may have been deleted, or written, between two of our readings.
  let differs = false
  const repaired = await rebuildManifest(context.db, row, async (now) => {
    const again = await expectedParts(context, now, parsed)
    differs = !sameParts(now, again)
    return differs && repair ? again : null
  })
  if (differs)
    report({ kind: 'manifest-rows', subject, text: 'Its layers or facts in the database were not those of its content.', repaired })
}

interface Looking {
  subject: string
  repair: boolean
  report: Report
}

/** The database's against the store's copy: each makes the other one right. Undefined: it is lost. */
async function checkContent(
  { db, store }: Context,
  row: ManifestWithParts,
  { subject, repair, report }: Looking,
): Promise<Buffer | undefined> {
  const { repositoryId, digest } = row
  const content = Buffer.from(row.content)
  const copy = await readManifestRecord(store, repositoryId, digest)
  if (digestBytes(content, parseDigest(digest).algorithm) === digest) {
    // Asked in this order: a push that has just been told is written by now, and one that was deleted is gone.
    if (copy || !(await isToldOf(db, row)) || (await readManifestRecord(store, repositoryId, digest))) return content
    if (repair) await tellRecords(db, repositoryId, { manifests: [digest] })
    report({ kind: 'copy-missing', subject, text: 'The store had no right copy of it.', repaired: repair })
    return content
  }
  const text = copy ? 'Its content in the database did not have its digest; the store’s copy has it.' : DAMAGED
  const repaired = copy !== undefined && repair
  if (repaired) await setManifestContent(db, row.id, copy.content)
  report({ kind: 'manifest-damaged', subject, text, repaired })
  return repaired ? Buffer.from(copy.content) : undefined
}

const DAMAGED = 'Its content does not have its digest, and the store has no copy of it. Push the image again.'

async function checkLinks(
  context: Context,
  row: ManifestWithParts,
  parsed: ParsedManifest,
  { subject, repair, report }: Looking,
): Promise<void> {
  const { needsBlobs } =
    parsed.kind === 'image' ? await imageParts(context, row.repositoryId, parsed.manifest) : indexParts(parsed.manifest.manifests)
  const digests = [...new Set(needsBlobs.map((blob) => blob.digest))]
  const { linked, known } = await blobsOfManifest(context.db, row.repositoryId, digests)
  for (const digest of digests.filter((one) => !linked.has(one))) {
    // A manifest that was deleted meanwhile may have lost its links rightly.
    if (!(await context.db.manifest.findUnique({ where: { id: row.id }, select: { id: true } }))) return
    let size: number | undefined
    if (!known.has(digest)) {
      const found = await context.integrity.judge(digest)
      if (found.state !== 'sound') {
        const text = `It needs ${digest}, which has no row, and ${found.state === 'missing' ? 'no file' : 'a damaged file'}. Push the image again.`
        report({ kind: 'image-incomplete', subject, text, repaired: false })
        continue
      }
      size = found.size
    }
    const repaired = repair && (await relinkBlob(context.db, { repositoryId: row.repositoryId, manifestId: row.id, digest, size }))
    const text = size === undefined ? `Its repository had no link to ${digest}.` : `It needs ${digest}, whose file is there without a row.`
    report({ kind: size === undefined ? 'link-missing' : 'row-missing', subject, text, repaired })
  }
}

type Expected = ManifestParts & { totalSize: bigint }

/** The rows as a push of these bytes would write them now. */
async function expectedParts(context: Context, row: ManifestWithParts, parsed: ParsedManifest): Promise<Expected> {
  const { manifest } = parsed
  const common = {
    mediaType: parsed.mediaType,
    artifactType: artifactTypeOf(parsed),
    subjectDigest: manifest.subject?.digest,
    annotations: manifest.annotations,
  }
  if (parsed.kind === 'index') {
    const { needsBlobs, ...parts } = indexParts(parsed.manifest.manifests)
    // With images its sum depends on what else is there; the rebuild counts it.
    return { ...common, ...parts, totalSize: parts.children.length > 0 ? row.totalSize : sizeOf(row, needsBlobs) }
  }
  const { needsBlobs, ...parts } = await imageParts(context, row.repositoryId, parsed.manifest)
  const totalSize = sizeOf(row, needsBlobs)
  const whole = { ...common, ...parts, totalSize }
  const readable = !isImageConfigType(parsed.manifest.config.mediaType) || parts.os !== undefined || parts.config !== undefined
  return readable ? whole : keepFromConfig(whole, row)
}

/** The manifest and its blobs, each once. */
function sizeOf({ content }: ManifestWithParts, blobs: readonly Descriptor[]): bigint {
  const sizes = new Map(blobs.map((blob) => [blob.digest, blob.size]))
  return BigInt([...sizes.values()].reduce((sum, size) => sum + size, content.byteLength))
}

/** The configuration is damaged now; what was once read from it stays. */
function keepFromConfig(expected: Expected, row: ManifestWithParts): Expected {
  const layers = expected.layers.map((layer, position) => {
    const before = row.layers[position]
    if (before?.digest !== layer.digest) return layer
    const { diffId, createdBy, madeAt } = before
    return {
      ...layer,
      ...(diffId === null ? {} : { diffId }),
      ...(createdBy === null ? {} : { createdBy }),
      ...(madeAt === null ? {} : { madeAt }),
    }
  })
  const config = (row.config ?? undefined) as Record<string, unknown> | undefined
  return { ...expected, layers, config, os: row.os ?? undefined, architecture: row.architecture ?? undefined }
}

function sameParts(row: ManifestWithParts, expected: Expected): boolean {
  const { mediaType, artifactType, subjectDigest, annotations, configDigest, os, architecture, config, totalSize, content } = row
  const layers = row.layers.map(({ manifestId: _m, position: _p, ...layer }) => ({ ...layer, size: Number(layer.size) }))
  const children = row.children.map(({ manifestId: _m, position: _p, ...child }) => child)
  const facts = { mediaType, artifactType, subjectDigest, annotations, configDigest, os, architecture, config, layers, children }
  return canonical({ ...facts, totalSize, size: row.size }) === canonical({ ...expected, size: content.byteLength })
}

/** Text that is equal for equal values: keys in order, nothing for null, dates and large numbers as text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return part.toString()
    if (part === null || typeof part !== 'object' || Array.isArray(part) || part instanceof Date) return part ?? undefined
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
