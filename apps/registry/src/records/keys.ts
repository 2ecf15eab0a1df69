/**
 * What the store keeps beside the blobs, so that what is lost in the database is made again from it. In a folder and in a bucket alike:
 *
 *   repositories/
 *     rep_0f8j2k…/
 *       repository                  what it is called
 *       manifests/
 *         sha256-9f0c6b1e41d7…      who pushed it and when, then its bytes
 *       tags/
 *         1.2.0                     what it names, since when, and who said so
 *
 * Nothing of it is read but by `verify` and the collector. The database is right where the two differ, and says what copies it has yet to
 * change (`RecordChange`); record.ts has what is in them.
 */
import { isDigest, isTag, parseDigest } from '@slipway/oci'

export type RecordName = { repositoryId: string } & (
  | { kind: 'repository' }
  | { kind: 'manifest'; digest: string }
  | { kind: 'tag'; tag: string }
)

const ID = /^[a-z]{3}_[0-9a-z]{10,40}$/
const NAME = /^([a-z]{3}_[0-9a-z]{10,40})\/(?:(repository)|manifests\/(sha256|sha512)-([0-9a-f]+)|tags\/([^/]+))$/

export const isRepositoryId = (name: string): boolean => ID.test(name)

/** Undefined for names that no path is made of. */
export function recordKey(name: RecordName): string | undefined {
  const { repositoryId, kind } = name
  if (!isRepositoryId(repositoryId)) return undefined
  if (kind === 'repository') return `${repositoryId}/repository`
  if (kind === 'tag') return isTag(name.tag) ? `${repositoryId}/tags/${name.tag}` : undefined
  if (!isDigest(name.digest)) return undefined
  const { algorithm, hex } = parseDigest(name.digest)
  return `${repositoryId}/manifests/${algorithm}-${hex}`
}

/** Undefined for what is none of ours. */
export function parseRecordKey(key: string): RecordName | undefined {
  const [, repositoryId, repository, algorithm, hex, tag] = NAME.exec(key) ?? []
  if (repositoryId === undefined) return undefined
  if (repository !== undefined) return { kind: 'repository', repositoryId }
  if (tag !== undefined) return isTag(tag) ? { kind: 'tag', repositoryId, tag } : undefined
  const digest = `${algorithm}:${hex}`
  return isDigest(digest) ? { kind: 'manifest', repositoryId, digest } : undefined
}
