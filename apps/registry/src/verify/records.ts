/**
 * One repository: what the store has a record of and the database does not know (it was lost, or the database was put back to an older
 * state), made again when it is to be; and copies of tags and names that are not as the database says.
 */

import { upstreamHost } from '@slipway/core'
import {
  findBlob,
  type KnownRecords,
  knownRecords,
  quotaRefusal,
  type RepositoryPlace,
  type RepositoryRecord,
  type Restored,
  type Restoring,
  repositoryOf,
  restoreManifest,
  restoreTag,
  type TagRecord,
  tellRecords,
  tellRestored,
} from '@slipway/db'
import type { Descriptor, ParsedManifest } from '@slipway/oci'
import type { Registry } from '../context'
import { parseRecordKey, type RecordName, recordKey } from '../records/keys'
import { neededBlobs } from '../records/lost'
import { readManifestRecord, readRepositoryRecord, readTagRecord } from '../records/record'
import { artifactTypeOf, configIn, indexParts, partsOfImage } from '../routes/manifest-put'
import type { Report } from './verifier'

type Context = Pick<Registry, 'db' | 'store' | 'log' | 'integrity'>

interface Look {
  context: Context
  /** Whose records these are. */
  id: string
  /** What it is called, as far as anybody knows. */
  label: string
  repair: boolean
  report: Report
}

/** Copies read at one time: each is a request where the store is a bucket. */
const AT_ONCE = 8

export async function checkRecords(context: Context, id: string, repair: boolean, report: Report): Promise<void> {
  const kept = await keptRecords(context, id)
  const known = await knownRecords(context.db, id)
  const called = known.repository ?? (await readRepositoryRecord(context.store, id))
  const look: Look = { context, id, label: called ? `${called.organization}/${called.name}` : id, repair, report }
  const manifests = kept.manifests.filter((digest) => !known.manifests.has(digest) && !known.untold.manifests.has(digest))
  const tags = await compareTags(look, known, kept.tags)
  const isLost = kept.repository && !known.repository && !known.untold.repository
  if (isLost || manifests.length + tags.lost.length > 0) await restore(look, called, { known, manifests, tags: tags.lost })
  if (known.repository) await checkCopies(look, known, tags.wrong)
}

async function keptRecords({ store }: Context, id: string): Promise<{ repository: boolean; manifests: string[]; tags: string[] }> {
  const names: RecordName[] = []
  for await (const key of store.records(id)) names.push(...[parseRecordKey(key)].filter((name) => name !== undefined))
  return {
    repository: names.some((name) => name.kind === 'repository'),
    manifests: names.flatMap((name) => (name.kind === 'manifest' ? name.digest : [])),
    tags: names.flatMap((name) => (name.kind === 'tag' ? name.tag : [])),
  }
}

interface LostTag {
  tag: string
  record: TagRecord
}

/** `lost`: the database has none, or one that was set before. `wrong`: the copy is missing, damaged, or of another time. */
async function compareTags({ context, id }: Look, { tags, untold }: KnownRecords, kept: readonly string[]) {
  const lost: LostTag[] = []
  const wrong: string[] = []
  const queue = new Set([...kept, ...tags.keys()]).values()
  const work = async () => {
    for (const tag of queue) {
      if (untold.tags.has(tag)) continue
      const record = await readTagRecord(context.store, id, tag)
      const row = tags.get(tag)
      if (record && row?.digest === record.digest) continue
      if (record && (!row || row.updatedAt < record.updatedAt)) lost.push({ tag, record })
      else if (row) wrong.push(tag)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return { lost, wrong }
}

async function checkCopies({ context, id, label, repair, report }: Look, { repository, untold }: KnownRecords, wrong: string[]) {
  const { db, store } = context
  const copy = untold.repository ? repository : await readRepositoryRecord(store, id)
  const isCalledSo = copy?.organization === repository?.organization && copy?.name === repository?.name
  if (wrong.length === 0 && isCalledSo) return
  // Once more: those were set, removed or written while we read.
  const now = await knownRecords(db, id)
  const tags: string[] = []
  for (const tag of wrong) {
    if (now.tags.has(tag) && !now.untold.tags.has(tag) && (await readTagRecord(store, id, tag))?.digest !== now.tags.get(tag)?.digest)
      tags.push(tag)
  }
  if (tags.length === 0 && (isCalledSo || now.untold.repository)) return
  if (repair) await tellRecords(db, id, { tags, repository: !isCalledSo })
  const what = [...(isCalledSo ? [] : ['its name']), ...(tags.length > 0 ? [`${tags.length} of its tags`] : [])]
  report({ kind: 'copy-missing', subject: label, text: `The store had no right copy of ${what.join(' and ')}.`, repaired: repair })
}

interface Lost {
  known: KnownRecords
  manifests: string[]
  tags: LostTag[]
}

async function restore(look: Look, called: RepositoryRecord | undefined, { known, manifests, tags }: Lost): Promise<void> {
  const { context, id, label, repair, report } = look
  if (!repair) return tellLost(look, { known, manifests, tags })
  const place = called ? await unlessFull(repositoryOf(context.db, id, called)) : null
  if (!called || place === null || place === FULL) {
    const text = `The store has ${manifests.length} manifests and ${tags.length} tags of it, and ${noPlace(id, called, place)}, then check again.`
    report({ kind: 'repository-lost', subject: label, text, repaired: false })
    return
  }
  if (place.made) {
    const text = 'The database had lost it. It is back, and private: open it again if it was open.'
    report({ kind: 'repository-lost', subject: label, text, repaired: true })
  }
  const into = { ...look, place, organization: called.organization }
  let images = 0
  for (const digest of manifests) if (await restoreImage(into, digest)) images++
  let names = 0
  for (const { tag, record } of tags) if (await restoreName(into, known, tag, record)) names++
  if (images + names > 0) {
    const { id: repositoryId, organizationId } = place
    await tellRestored(context.db, { organizationId, repositoryId, label, manifests: images, tags: names })
  }
  await dropFolder(into)
}

const AGAIN = 'Check again with repair to have it back.'
const FULL = 'full'
/** FULL: it would be past what its organization may have. */
const unlessFull = <T>(work: Promise<T>): Promise<T | typeof FULL> =>
  work.catch((error: unknown) => {
    if (quotaRefusal(error)) return FULL
    throw error
  })

function noPlace(id: string, called: RepositoryRecord | undefined, place: RepositoryPlace | null | typeof FULL): string {
  if (!called)
    return `its name is lost. Write it into repositories/${id}/repository in the store, as {"organization":"…","name":"…"} and a new line`
  if (place === FULL) return `${called.organization} has as many repositories as it may have. Raise that limit`
  return `there is no organization ${called.organization}. Make it`
}

async function tellLost({ context, id, label, report }: Look, { known, manifests, tags }: Lost): Promise<void> {
  if (!known.repository) report({ kind: 'repository-lost', subject: label, text: `The database has lost it. ${AGAIN}`, repaired: false })
  for (const digest of manifests) {
    // Without one it was deleted meanwhile.
    if (!(await readManifestRecord(context.store, id, digest))) continue
    const text = `The store has it, the database has lost it. ${AGAIN}`
    report({ kind: 'manifest-lost', subject: `${label}@${digest}`, text, repaired: false })
  }
  for (const { tag, record } of tags)
    report({ kind: 'tag-lost', subject: `${label}:${tag}`, text: lostTag(known, tag, record, false), repaired: false })
}

type Into = Look & { place: { id: string; organizationId: string }; organization: string }

const restoring = ({ context, id, place }: Into, key: string): Restoring => ({
  from: id,
  repositoryId: place.id,
  isKept: async () => (await context.store.record(key)) !== undefined,
})

async function restoreImage(into: Into, digest: string): Promise<boolean> {
  const { context, id, label, place, report } = into
  const subject = `${label}@${digest}`
  const key = recordKey({ kind: 'manifest', repositoryId: id, digest })
  const record = await readManifestRecord(context.store, id, digest)
  if (key === undefined) return false
  if (!record) {
    // Deleted meanwhile, or nothing that anybody could make something of.
    if (!(await context.store.record(key))) return false
    report({
      kind: 'manifest-lost',
      subject,
      text: 'The database has lost it, and its copy in the store is damaged. Push it again.',
      repaired: false,
    })
    return false
  }
  const manifest = record.parsed
  const blobs = await wholeBlobs(context, neededBlobs(manifest))
  if (blobs.missing !== undefined && upstreamHost(into.organization) === undefined) {
    const text = `The database has lost it, and it needs ${brief(blobs.missing)}, which the store has lost. Push it again.`
    report({ kind: 'manifest-lost', subject, text, repaired: false })
    return false
  }
  const { needsBlobs, ...parts } = await partsOf(context, manifest)
  const sizes = new Map(needsBlobs.map((blob) => [blob.digest, blob.size]))
  const restored = restoreManifest(context.db, restoring(into, key), {
    repositoryId: place.id,
    organizationId: place.organizationId,
    digest,
    mediaType: manifest.mediaType,
    artifactType: artifactTypeOf(manifest),
    subjectDigest: manifest.manifest.subject?.digest,
    annotations: manifest.manifest.annotations,
    content: record.content,
    pushedBy: record.pushedBy,
    createdAt: record.createdAt,
    totalSize: BigInt([...sizes.values()].reduce((sum, size) => sum + size, record.content.byteLength)),
    blobs: blobs.whole,
    ...parts,
  })
  const outcome = await unlessFull(restored)
  if (outcome === FULL) {
    const text = `The store has it, and it is past the bytes that ${into.organization} may have. Raise that limit, then check again.`
    report({ kind: 'manifest-lost', subject, text, repaired: false })
    return false
  }
  await dropMoved(into, key)
  if (outcome === 'restored') report({ kind: 'manifest-lost', subject, text: 'The database had lost it. It is back.', repaired: true })
  return outcome === 'restored'
}

const partsOf = async ({ store }: Context, parsedManifest: ParsedManifest) =>
  parsedManifest.kind === 'image'
    ? partsOfImage(parsedManifest.manifest, await configIn(store, parsedManifest.manifest.config))
    : indexParts(parsedManifest.manifest.manifests)

/** Those with a row were read before; the others are now. `missing`: one that is not there, or not as it should be. */
async function wholeBlobs({ db, store, integrity }: Context, needed: readonly Descriptor[]) {
  const whole = new Map<string, number>()
  let missing: string | undefined
  for (const { digest, size } of needed) {
    if (whole.has(digest)) continue
    const row = await findBlob(db, digest)
    const isThere = row && !row.damagedAt ? (await store.size(digest)) === size : false
    const verdict = isThere ? { state: 'sound' as const, size } : await integrity.judge(digest)
    if (verdict.state === 'sound' && verdict.size === size) whole.set(digest, size)
    else missing ??= digest
  }
  return { whole: [...whole].map(([digest, size]) => ({ digest, size })), missing }
}

async function restoreName(into: Into, known: KnownRecords, tag: string, record: TagRecord): Promise<boolean> {
  const { context, id, label, report } = into
  const key = recordKey({ kind: 'tag', repositoryId: id, tag })
  if (key === undefined) return false
  const outcome: Restored | 'no-image' = await restoreTag(context.db, restoring(into, key), tag, record)
  const repaired = outcome === 'restored'
  if (outcome !== 'no-image') await dropMoved(into, key)
  if (outcome !== 'known') {
    const text = repaired ? lostTag(known, tag, record, true) : `It named ${brief(record.digest)}, which is lost. Push the image again.`
    report({ kind: 'tag-lost', subject: `${label}:${tag}`, text, repaired })
  }
  return repaired
}

function lostTag({ tags }: KnownRecords, tag: string, { digest, updatedAt }: TagRecord, repaired: boolean): string {
  const row = tags.get(tag)
  const since = `since ${updatedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`
  if (row) return `It names ${brief(digest)} ${since}; the database said ${brief(row.digest)}, which it named before.`
  return `It named ${brief(digest)} ${since}; the database ${repaired ? 'had lost it. It is back.' : `has lost it. ${AGAIN}`}`
}

/** As people tell images apart. */
const brief = (digest: string) => digest.slice(0, digest.indexOf(':') + 13)

/** Of a repository that is another one now, which has copies of its own. */
async function dropMoved({ context, id, place }: Into, key: string): Promise<void> {
  if (id !== place.id) await context.store.keep([{ key, content: null }])
}

async function dropFolder({ context, id, place }: Into): Promise<void> {
  if (id === place.id) return
  const { manifests, tags } = await keptRecords(context, id)
  const key = recordKey({ kind: 'repository', repositoryId: id })
  if (key !== undefined && manifests.length + tags.length === 0) await context.store.keep([{ key, content: null }])
}
