/**
 * What is inside a layer: `POST /slipway/v1/layers/listing` with the blob as the body answers this document, packed with gzip.
 * Columns of equal length, in the order of the paths. Written by `apps/agent/crates/agent/src/http/slipway/layers.rs`.
 */
import * as z from 'zod'

const number = z.number().int().min(0)

export const layerListing = z
  .object({
    v: z.literal(1),
    /** Clean, relative, without a slash at the end; never the root. Of a whiteout: what it hides. */
    paths: z.array(z.string()),
    /** A letter each: file, hard link, symlink (l), directory, char, block, pipe; whiteout, opaque. */
    kinds: z.string().regex(/^[fhldcbpwo]*$/),
    modes: z.array(number),
    uids: z.array(number),
    gids: z.array(number),
    /** Bytes of a file's content; 0 for all else. */
    sizes: z.array(number),
    /** Seconds since 1970. */
    mtimes: z.array(z.number().int()),
    /** The entry's number in the archive, which `POST …/layers/file?entry=` takes. */
    entries: z.array(number),
    /** Index of a link and its target. */
    links: z.array(z.tuple([number, z.string()])),
    /** Base64 of 16 bytes for each file and hard link: the first half of the content's SHA-256; zeros where it is not known. */
    digests: z.string(),
    /** What the layer's own files tell, whatever the layers above make of it. */
    packages: z.array(
      z.object({ type: z.string(), name: z.string(), version: z.string(), licence: z.string().nullable(), path: z.string() }),
    ),
    /** What was left out, in sentences. */
    notes: z.array(z.string()),
  })
  .refine(
    (d) => [d.kinds, d.modes, d.uids, d.gids, d.sizes, d.mtimes, d.entries].every((column) => column.length === d.paths.length),
    'The columns of the listing have different lengths.',
  )
export type LayerListing = z.infer<typeof layerListing>

/** Bytes, packed: 500,000 entries with long names. */
export const MAX_LAYER_LISTING = 48 * 1024 * 1024
/** Bytes, unpacked. */
export const MAX_LAYER_LISTING_TEXT = 384 * 1024 * 1024
