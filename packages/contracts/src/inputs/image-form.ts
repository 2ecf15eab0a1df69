/** How the image of one build is to look, instead of the app's settings: what `slipway build -o …,compression=zstd` says. */
import * as z from 'zod'
import { imageMediaTypes, layerCompression } from '../agent/build-output'

export const imageForm = z
  .object({
    compression: layerCompression.optional(),
    /** gzip: 1 to 9, zstd: 1 to 22. */
    level: z.number().int().min(1).max(22).optional(),
    /** The base's layers, too. */
    force: z.boolean().optional(),
    mediaTypes: imageMediaTypes.optional(),
    /** Dated by SOURCE_DATE_EPOCH, or by 1970: an upload has no commit. */
    reproducible: z.boolean().optional(),
  })
  .refine(({ level, compression }) => level === undefined || compression !== 'uncompressed', {
    message: 'Layers that are not compressed have no level.',
    path: ['level'],
  })
  .refine(({ level, compression }) => (level ?? 1) <= (compression === 'zstd' ? 22 : 9), {
    message: 'gzip has levels 1 to 9, zstd 1 to 22.',
    path: ['level'],
  })
  .refine(({ compression, mediaTypes }) => compression !== 'zstd' || mediaTypes !== 'docker', {
    message: 'Docker’s media types have no name for zstd layers.',
    path: ['mediaTypes'],
  })
export type ImageForm = z.infer<typeof imageForm>
