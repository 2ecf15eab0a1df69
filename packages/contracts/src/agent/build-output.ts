/** How a finished image is to look: part of a `BuildRequest`. The Rust side is `apps/agent/crates/build/src/output_options.rs`. */
import * as z from 'zod'
import { MAX_SOURCE_DATE_EPOCH } from './source-date-epoch'

export const layerCompression = z.enum(['gzip', 'zstd', 'uncompressed'])
export const imageMediaTypes = z.enum(['oci', 'docker'])

export const buildOutput = z
  .object({
    /** Of new layers; absent: gzip. */
    compression: layerCompression.optional(),
    /** gzip: 1 to 9, zstd: 1 to 22; layers that are not compressed have none. */
    level: z.number().int().min(1).max(22).optional(),
    /** A base's layers, too, get this compression; otherwise they stay as they are. */
    force: z.boolean().optional(),
    /** Absent: OCI's. Docker's have no name for zstd layers. */
    mediaTypes: imageMediaTypes.optional(),
    /** Seconds since 1970: when the image and its new parts were made, as they tell it. */
    sourceDateEpoch: z.number().int().min(0).max(MAX_SOURCE_DATE_EPOCH).optional(),
    /** Files of new layers are told to be no younger than `sourceDateEpoch`, which must be there. */
    rewriteTimestamps: z.boolean().optional(),
  })
  .refine((output) => output.level === undefined || output.compression !== 'uncompressed', {
    message: 'layers that are not compressed have no level',
    path: ['level'],
  })
  .refine((output) => (output.level ?? 1) <= (output.compression === 'zstd' ? 22 : 9), {
    message: 'gzip has levels 1 to 9',
    path: ['level'],
  })
  .refine((output) => output.compression !== 'zstd' || output.mediaTypes !== 'docker', {
    message: "Docker's media types have no name for zstd layers",
    path: ['mediaTypes'],
  })
  .refine((output) => !output.rewriteTimestamps || output.sourceDateEpoch !== undefined, {
    message: 'rewriting the times of files needs sourceDateEpoch',
    path: ['rewriteTimestamps'],
  })
export type BuildOutput = z.infer<typeof buildOutput>
