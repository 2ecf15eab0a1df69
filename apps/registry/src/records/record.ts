/** What is in a record (keys.ts): a line of JSON, and behind that of a manifest its bytes as they were pushed. */
import type { ManifestRecord, RecordState, RepositoryRecord, TagRecord } from '@slipway/db'
import { isDigest, type ParsedManifest, parseDigest, parseManifest } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import * as z from 'zod'
import type { BlobStore } from '../store/store'
import { recordKey } from './keys'

const NEWLINE = 0x0a
const text = z.string().min(1).max(500)
const date = z.iso.datetime().transform((at) => new Date(at))
const repository = z.object({ organization: text, name: text })
const manifest = z.object({ mediaType: text, pushedBy: text, createdAt: date })
const tag = z.object({ digest: z.string().refine(isDigest), pushedBy: text, createdAt: date, updatedAt: date })

/** Null: there is to be none. */
export function recordContent(state: RecordState): Buffer | null {
  if (state.now === null) return null
  if (state.kind !== 'manifest') return line(state.now)
  const { content, ...head } = state.now
  return Buffer.concat([line(head), content])
}

const line = (head: object) => Buffer.from(`${JSON.stringify(head)}\n`)

type Store = Pick<BlobStore, 'record'>

/** Undefined when there is none, or what is there is none: damaged, cut off, of a version to come. */
export async function readRepositoryRecord(store: Store, repositoryId: string): Promise<RepositoryRecord | undefined> {
  const { head } = await read(store, recordKey({ kind: 'repository', repositoryId }))
  return repository.safeParse(head).data
}

export async function readTagRecord(store: Store, repositoryId: string, name: string): Promise<TagRecord | undefined> {
  const { head } = await read(store, recordKey({ kind: 'tag', repositoryId, tag: name }))
  return tag.safeParse(head).data
}

/** Its bytes have the digest that it is kept by, and are a manifest. */
export async function readManifestRecord(store: Store, repositoryId: string, digest: string): Promise<ReadManifest | undefined> {
  const { head, rest } = await read(store, recordKey({ kind: 'manifest', repositoryId, digest }))
  const known = manifest.safeParse(head).data
  if (!known || digestBytes(rest, parseDigest(digest).algorithm) !== digest) return undefined
  try {
    return { ...known, content: rest, parsed: parseManifest(rest, known.mediaType) }
  } catch {
    return undefined
  }
}

export type ReadManifest = ManifestRecord & { parsed: ParsedManifest }

async function read(store: Store, key: string | undefined): Promise<{ head: unknown; rest: Buffer }> {
  const content = key === undefined ? undefined : await store.record(key)
  const end = content?.indexOf(NEWLINE) ?? -1
  if (!content || end < 0) return { head: undefined, rest: Buffer.alloc(0) }
  try {
    return { head: JSON.parse(content.toString('utf8', 0, end)), rest: content.subarray(end + 1) }
  } catch {
    return { head: undefined, rest: Buffer.alloc(0) }
  }
}
