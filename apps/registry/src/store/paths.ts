/**
 * The tree beneath $SLIPWAY_DATA/registry:
 *
 *   blobs/
 *     sha256/
 *       9f/                       first two hex digits, all 256 made at start
 *         9f0c6b1e41d7…           whole content, verified and synced before it gets this name
 *     sha512/…
 *   uploads/
 *     upl_0f8j2k…                 bytes of an open upload, appended to; renamed into blobs/ at its end
 *     rec_5d1c09…                 a record being written; renamed into repositories/
 *   quarantine/
 *     sha256-9f0c6b1e41d7…-k3x9   bytes that were found damaged, moved out of blobs/; never served, never removed by us
 *   repositories/                 copies of manifests and tags: records/keys.ts draws it
 *
 * Nothing else is written there by us; files of other names are left alone. Manifests, tags and who may read what lie in Postgres.
 * All are on one file system, so that the rename is atomic.
 */
import path from 'node:path'
import { type DigestAlgorithm, parseDigest } from '@slipway/oci'
import { parseRecordKey } from '../records/keys'

export const ALGORITHMS: readonly DigestAlgorithm[] = ['sha256', 'sha512']
export const PREFIXES: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

export const isUploadId = (name: string): boolean => /^[a-z]{3}_[0-9a-z]{10,40}$/.test(name)
export const isQuarantineName = (name: string): boolean => /^sha(256|512)-[0-9a-f]+-[0-9a-z]+$/.test(name)

export class StorePaths {
  constructor(readonly root: string) {}

  get uploads(): string {
    return path.join(this.root, 'uploads')
  }

  get quarantine(): string {
    return path.join(this.root, 'quarantine')
  }

  get repositories(): string {
    return path.join(this.root, 'repositories')
  }

  prefix(algorithm: DigestAlgorithm, prefix: string): string {
    return path.join(this.root, 'blobs', algorithm, prefix)
  }

  /** Throws `DIGEST_INVALID`: nothing but hex ever becomes part of a path. */
  blob(digest: string): string {
    const { algorithm, hex } = parseDigest(digest)
    return path.join(this.prefix(algorithm, hex.slice(0, 2)), hex)
  }

  record(key: string): string {
    if (!parseRecordKey(key)) throw new Error(`not the key of a record: ${key.slice(0, 200)}`)
    return path.join(this.repositories, key)
  }

  upload(id: string): string {
    if (!isUploadId(id)) throw new Error(`not an upload id: ${id.slice(0, 60)}`)
    return path.join(this.uploads, id)
  }
}
