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
    const result = imageConfigFile.safeParse(JSON.parse(new TextDecoder().decode(bytes), readable))
    return result.success ? result.data : undefined
  } catch {
    // Not JSON: the caller stores the manifest without details of a config.
    return undefined
  }
}

const NO_TEXT = /[\0\p{Cs}]/gu

/** NUL and halves of characters are text to no database, and what is kept of a config is for reading. */
function readable(_key: string, value: unknown): unknown {
  if (typeof value === 'string') return value.replace(NO_TEXT, '\uFFFD')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  if (!Object.keys(value).some((key) => key.search(NO_TEXT) !== -1)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.replace(NO_TEXT, '\uFFFD'), inner]))
}
