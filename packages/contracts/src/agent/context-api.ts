/**
 * Uploaded build contexts: `/slipway/v1/contexts` of the agent. A context is a tree of objects named by the SHA-256 of their
 * bytes: one for each directory, one (a blob) for the content of each file. Whoever uploads asks what is missing and sends that.
 *
 * - `POST /slipway/v1/contexts/missing?scope=<organization id>`: `ContextMissing` in and out; at most 8 MiB.
 * - `POST /slipway/v1/contexts/objects?scope=…`: `OBJECTS_HEAD`, then records of one line and the bytes it announces:
 *   `blob <sha256> <size>`, `tree <sha256> <size>`, or `part <sha256> <offset> <length> <size>` for pieces of a large blob, in
 *   order. At most 64 MiB unpacked; `Content-Encoding: gzip` or `zstd` may pack it. 200 `{ "stored": bytes }`; 400 for a stream
 *   that is broken or lies; 409 when a piece does not go on where the blob ends; 413 when the organization's share is used up.
 * - `POST /slipway/v1/contexts/sha256:…/commit?scope=…`: 200 when everything beneath that directory is there, 409 with
 *   `missing` when not. Only a committed context can be built from, by `BuildRequest.context`.
 */
import * as z from 'zod'

export const contextDigest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'That is not a digest.')

const hexes = z.array(z.string().regex(/^[0-9a-f]{64}$/, 'That is not a digest.')).max(20_000)
/** Digests without `sha256:`. `partial`: of missing blobs, how many bytes are there. */
export const contextMissing = z.object({
  trees: hexes,
  blobs: hexes,
  partial: z.record(z.string(), z.number().int().nonnegative()).optional(),
})
export type ContextMissing = z.infer<typeof contextMissing>

export const contextStored = z.object({ stored: z.number() })
export const contextCommitted = z.object({ entries: z.number(), bytes: z.number() })
export const contextIncomplete = z.object({ missing: contextMissing })
