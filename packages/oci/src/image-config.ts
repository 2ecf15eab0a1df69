/** The image configuration (image-spec config.md; Docker's is the same with additions), read leniently: images in the wild vary. */
import * as z from 'zod'

const historyEntry = z.object({
  created: z.string().optional(),
  created_by: z.string().optional(),
  comment: z.string().optional(),
  empty_layer: z.boolean().optional(),
})

export const imageConfigFile = z.object({
  created: z.string().optional(),
  author: z.string().optional(),
  architecture: z.string().optional(),
  os: z.string().optional(),
  variant: z.string().optional(),
  /** What the container runs with; kept as it is. */
  config: z.record(z.string(), z.unknown()).nullish(),
  rootfs: z.object({ type: z.string().optional(), diff_ids: z.array(z.string()).nullish() }).optional(),
  history: z.array(historyEntry).nullish(),
})
export type ImageConfigFile = z.infer<typeof imageConfigFile>

/** Undefined when the bytes are no image configuration (artifacts reuse the type with other content). */
export function parseImageConfig(bytes: Uint8Array): ImageConfigFile | undefined {
  try {
    const result = imageConfigFile.safeParse(JSON.parse(new TextDecoder().decode(bytes)))
    return result.success ? result.data : undefined
  } catch {
    // Not JSON: the caller stores the manifest without details of a config.
    return undefined
  }
}
