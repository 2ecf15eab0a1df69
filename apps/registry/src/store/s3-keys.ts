/**
 * The tree in the bucket, beneath the prefix (`SLIPWAY_REGISTRY_S3_PREFIX`):
 *
 *   slipway-registry                written at each start: whoever cannot write it cannot keep blobs here
 *   blobs/                          the same tree as on disk (paths.ts): copying one into the other moves a store
 *     sha256/
 *       9f/
 *         9f0c6b1e41d7…             whole content; an object of this name appears at once and only after it was verified
 *     sha512/…
 *   uploads/
 *     upl_0f8j2k…/                  an open upload: its bytes, in objects that are written once
 *       000000000000000             bytes from 0 on, 8 MiB if more came in the same request
 *       000000008388608             the next ones; each begins where the one before ends, or it is a leftover and ignored
 *   quarantine/
 *     sha256-9f0c6b1e41d7…-k3x9   bytes that were found damaged, moved out of blobs/; never served, never removed by us
 *   repositories/                   copies of manifests and tags: records/keys.ts draws it
 *
 * At the end of an upload its objects are put together on the server's side, as parts of a multipart upload to the blob's
 * key. One that never ended is a multipart upload beneath blobs/; the sweep ends it a day later.
 */
import { isDigest, parseDigest } from '@slipway/oci'
import { parseRecordKey } from '../records/keys'
import { isUploadId } from './paths'

const START_DIGITS = 15
const UPLOAD = /^([a-z]{3}_[0-9a-z]{10,40})\/(\d{15})$/
const BLOB = /^(sha256|sha512)\/([0-9a-f]{2})\/(\2[0-9a-f]+)$/

export class S3Keys {
  constructor(readonly prefix: string) {}

  get marker(): string {
    return `${this.prefix}slipway-registry`
  }

  get blobs(): string {
    return `${this.prefix}blobs/`
  }

  get uploads(): string {
    return `${this.prefix}uploads/`
  }

  get quarantine(): string {
    return `${this.prefix}quarantine/`
  }

  get repositories(): string {
    return `${this.prefix}repositories/`
  }

  record(key: string): string {
    if (!parseRecordKey(key)) throw new Error(`not the key of a record: ${key.slice(0, 200)}`)
    return this.repositories + key
  }

  /** Throws `DIGEST_INVALID`: nothing but hex ever becomes part of a key. */
  blob(digest: string): string {
    const { algorithm, hex } = parseDigest(digest)
    return `${this.blobs}${algorithm}/${hex.slice(0, 2)}/${hex}`
  }

  /** What all objects of one upload begin with. */
  upload(id: string): string {
    if (!isUploadId(id)) throw new Error(`not an upload id: ${id.slice(0, 60)}`)
    return `${this.uploads}${id}/`
  }

  piece(id: string, start: number): string {
    return this.upload(id) + String(start).padStart(START_DIGITS, '0')
  }

  /** Undefined for keys that are none of ours. */
  parsePiece(key: string): { uploadId: string; start: number } | undefined {
    const match = key.startsWith(this.uploads) ? UPLOAD.exec(key.slice(this.uploads.length)) : null
    return match?.[1] && match[2] ? { uploadId: match[1], start: Number(match[2]) } : undefined
  }

  /** Undefined for keys that are none of ours. */
  parseBlob(key: string): string | undefined {
    const match = key.startsWith(this.blobs) ? BLOB.exec(key.slice(this.blobs.length)) : null
    const digest = match ? `${match[1]}:${match[3]}` : ''
    return isDigest(digest) ? digest : undefined
  }
}
