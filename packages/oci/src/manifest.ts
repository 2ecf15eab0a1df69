/**
 * Descriptor, manifest and index of OCI image-spec 1.1 and of Docker schema 2, which share their shape.
 * Unknown fields are kept out of the parsed value but never matter: what is stored and served are the original bytes.
 */
import { AppError } from '@slipway/core'
import * as z from 'zod'
import { isDigest } from './digest'
import { isIndexType, isManifestType, type ManifestMediaType, OCI_INDEX, OCI_MANIFEST } from './media-types'

const digest = z.string().refine(isDigest, 'is not a sha256 or sha512 digest')
const mediaType = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9][A-Za-z0-9!#$&\-^_.+]*\/[A-Za-z0-9][A-Za-z0-9!#$&\-^_.+]*$/, 'is not a media type')
/** NUL and halves of characters, which JSON can write, are text to no database. */
const text = z.string().refine((value) => !/[\0\p{Cs}]/u.test(value), 'has a NUL or half a character in it')
const annotations = z.record(text, text)
const platform = z.object({
  architecture: text,
  os: text,
  variant: text.optional(),
  'os.version': text.optional(),
})

/** At most 1,000 layers and 1,000 index entries: far above real images, far below what hurts. */
const MAX_ENTRIES = 1000

export const descriptor = z.object({
  mediaType,
  digest,
  size: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  urls: z.array(text).optional(),
  annotations: annotations.optional(),
  artifactType: mediaType.optional(),
  platform: platform.optional(),
})
export type Descriptor = z.infer<typeof descriptor>

export const imageManifest = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: mediaType.optional(),
  config: descriptor,
  layers: z.array(descriptor).max(MAX_ENTRIES),
  subject: descriptor.optional(),
  annotations: annotations.optional(),
})
export type ImageManifest = z.infer<typeof imageManifest>

export const imageIndex = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: mediaType.optional(),
  manifests: z.array(descriptor).max(MAX_ENTRIES),
  subject: descriptor.optional(),
  annotations: annotations.optional(),
})
export type ImageIndex = z.infer<typeof imageIndex>

export type ParsedManifest =
  | { kind: 'image'; mediaType: ManifestMediaType; manifest: ImageManifest }
  | { kind: 'index'; mediaType: ManifestMediaType; manifest: ImageIndex }

const invalid = (message: string, cause?: unknown) => new AppError({ kind: 'bad-input', code: 'MANIFEST_INVALID', message, cause })

/**
 * Bytes of a manifest, checked. `contentType` is what the sender said (parameters are ignored); it must agree with the
 * manifest's own mediaType. Throws `MANIFEST_INVALID` with the field that is wrong.
 */
export function parseManifest(bytes: Uint8Array, contentType?: string): ParsedManifest {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw invalid('The manifest is not JSON.', cause)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid('The manifest is not a JSON object.')
  if ('schemaVersion' in json && json.schemaVersion === 1)
    throw invalid('Docker schema 1 manifests are not supported. Push with a client of 2017 or later.')
  const said = contentType?.split(';')[0]?.trim().toLowerCase() || undefined
  const own = 'mediaType' in json && typeof json.mediaType === 'string' ? json.mediaType : undefined
  if (own !== undefined && said !== undefined && own !== said)
    throw invalid(`The manifest says it is ${own.slice(0, 120)}, the request says ${said.slice(0, 120)}.`)
  const type = own ?? said ?? ('manifests' in json ? OCI_INDEX : OCI_MANIFEST)
  if (!isManifestType(type)) throw invalid(`Manifests of type ${type.slice(0, 120)} are not supported.`)
  // CVE-2021-41190: one set of bytes must not be readable as both kinds.
  const both = 'manifests' in json && ('layers' in json || 'config' in json)
  if (both) throw invalid('The manifest has both "manifests" and "layers" or "config"; it can be only one kind.')
  return isIndexType(type)
    ? { kind: 'index', mediaType: type, manifest: checked(imageIndex, json) }
    : { kind: 'image', mediaType: type, manifest: checked(imageManifest, json) }
}

function checked<T>(schema: z.ZodType<T>, json: unknown): T {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw invalid(`The manifest's ${issue?.path.join('.') || 'content'} is wrong: ${issue?.message ?? 'unknown problem'}.`, result.error)
}
