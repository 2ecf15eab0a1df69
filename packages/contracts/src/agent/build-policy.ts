/**
 * What a host's build cache keeps, and what builds leave of its disk.
 *
 * `GET /slipway/v1/build-cache/policy` answers a `BuildPolicyView`. `PUT` takes a `BuildPolicy` and answers the same: it applies at once and
 * over restarts of the agent. `POST /slipway/v1/build-cache/policy/preview` takes one and answers a `BuildPolicyPreview`; nothing changes.
 */
import * as z from 'zod'

const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const days = z.number().int().min(0).max(3650, 'At most ten years, 3650 days.')

/** Absent and null: as the host's settings file says, or the agent's default. */
const policyFields = {
  /** Of disk that only the cache keeps. */
  maxBytes: bytes.nullish(),
  /** What was used within so many days stays, even above `maxBytes`. */
  keepDays: days.nullish(),
  /** What was not used for so many days goes, even below it; 0: nothing goes for its age. */
  unusedDays: days.nullish(),
  /** Of the disk that builds leave free. */
  reserveBytes: bytes.nullish(),
  /** What one step of any build may write at most. */
  stepDiskBytes: bytes.min(64_000_000, 'A step needs at least 64 MB.').nullish(),
}
export const buildPolicy = z
  .strictObject(policyFields)
  .refine(({ keepDays, unusedDays }) => !unusedDays || !keepDays || keepDays <= unusedDays, {
    path: ['keepDays'],
    message: 'What stays for its use cannot be older than what goes for its age.',
  })
export type BuildPolicy = z.infer<typeof buildPolicy>

const FIELDS = ['maxBytes', 'keepDays', 'unusedDays', 'reserveBytes', 'stepDiskBytes'] as const satisfies (keyof BuildPolicy)[]
export const samePolicy = (one: BuildPolicy, two: BuildPolicy): boolean =>
  FIELDS.every((field) => (one[field] ?? null) === (two[field] ?? null))

const applied = z.object({
  maxBytes: z.number(),
  keepDays: z.number(),
  unusedDays: z.number(),
  /** null: by the size of the disk. */
  reserveBytes: z.number().nullable(),
  /** null: as each build says. */
  stepDiskBytes: z.number().nullable(),
})
export const buildPolicyView = z.object({
  set: z.object(policyFields),
  applies: applied,
  /** What a policy without a word means here. */
  defaults: applied,
  /** Of the data root's file system; builds leave `reserve` free. */
  disk: z.object({ total: z.number(), free: z.number(), reserve: z.number() }),
})
export type BuildPolicyView = z.infer<typeof buildPolicyView>

/** What a policy would take: records of all organizations, and the bytes that only they keep. */
export const buildPolicyPreview = z.object({ bytes: z.number(), layers: z.number().int(), mounts: z.number().int() })
export type BuildPolicyPreview = z.infer<typeof buildPolicyPreview>
