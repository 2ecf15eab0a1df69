/**
 * The agent's build cache.
 *
 * `GET /slipway/v1/build-cache[?scope=<organization id>&images=slipway.local/<organization>/]` answers a `BuildCacheView`; without a scope it speaks of the whole host.
 * With `images`, the beginning of names, no other images count as keeping a layer: what other organizations have must not show.
 * `POST /slipway/v1/build-cache/prune` takes a `BuildCachePrune` and answers a `BuildCachePruned`; with `dryRun` nothing is removed.
 */
import * as z from 'zod'

/** Sizes in bytes of disk, times in Unix milliseconds. */
export const buildCacheRecord = z.object({
  /** A vertex's key, or a cache mount's folder; unique within its scope. */
  id: z.string(),
  /** Folder name of the scope; says nothing of the organization. */
  scope: z.string(),
  kind: z.enum(['layer', 'mount']),
  /** The instruction, or the id of the cache mount; absent for what older agents made. */
  text: z.string().optional(),
  /** Repository of the image that was built: `slipway.local/acme/shop`. */
  app: z.string().optional(),
  bytes: z.number(),
  createdAt: z.number(),
  lastUsedAt: z.number(),
  uses: z.number().int(),
  inUse: z.boolean(),
  /** Images that have the layer too, at most five: its bytes stay with them. */
  keptBy: z.array(z.string()),
})

export const buildCacheView = z.object({
  policy: z.object({ maxBytes: z.number(), keepMs: z.number(), unusedMs: z.number() }),
  /** Of the data root's file system; builds leave `reserve` free. */
  disk: z.object({ total: z.number(), free: z.number(), reserve: z.number() }),
  /** `bytes`: what only the cache keeps, equal layers once. */
  scopes: z.array(z.object({ scope: z.string(), layers: z.number().int(), mounts: z.number().int(), bytes: z.number() })),
  /** Most recently used first, at most 1,000; `more` are not told. */
  records: z.array(buildCacheRecord),
  more: z.number().int(),
})
export type BuildCacheView = z.infer<typeof buildCacheView>

export const buildCachePrune = z.object({
  scope: z.string().optional(),
  images: z.string().optional(),
  /** Ids, or beginnings of them. */
  ids: z.array(z.string()).max(1000).optional(),
  kind: z.enum(['layer', 'mount']).optional(),
  unusedForMs: z.number().int().nonnegative().optional(),
  /** So many bytes of the most recently used stay. */
  keepBytes: z.number().int().nonnegative().optional(),
  dryRun: z.boolean().optional(),
})
export type BuildCachePrune = z.infer<typeof buildCachePrune>

export const buildCachePruned = z.object({
  records: z.array(buildCacheRecord),
  more: z.number().int(),
  entries: z.number().int(),
  /** What only they keep. */
  bytes: z.number(),
  /** What came free on the disk, other garbage of the host included; 0 for a preview. */
  reclaimed: z.number(),
})
export type BuildCachePruned = z.infer<typeof buildCachePruned>
