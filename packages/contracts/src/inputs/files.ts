/** What is inside images. */
import * as z from 'zod'
import { org } from './base'

const repository = z.string().min(1).max(255)
/** Tag or digest. */
const reference = z.string().min(1).max(255)
const image = org.extend({ repository, reference })

/** Below the root, without a slash at either end; empty: the root. */
const path = z.string().max(4096)

export const imageFiles = image
export const listFiles = image.extend({
  path: path.default(''),
  /** With what layers above hide. */
  hidden: z.boolean().default(false),
  /** How many to skip. */
  offset: z.number().int().min(0).max(1_000_000).default(0),
  limit: z.number().int().min(1).max(2000).default(500),
})
/** Part of a path, or a pattern with `*` and `?`: over names, or over whole paths when it has a slash. */
export const searchFiles = image.extend({ query: z.string().trim().min(1).max(500), hidden: z.boolean().default(false) })
/** `layer`: of a file that several layers have, whose. */
export const fileOfImage = image.extend({ path: path.min(1), layer: z.coerce.number().int().min(0).max(1000).optional() })
export const compareImages = image.extend({
  other: z.object({ repository, reference }),
})
/** A layer by its digest, a package by its exact name, a file by its path or its name. */
export const whereUsed = org.extend({
  kind: z.enum(['layer', 'package', 'file']),
  query: z.string().trim().min(1).max(1000),
  version: z.string().trim().max(500).optional(),
  cursor: z.string().max(200).nullish(),
  limit: z.number().int().min(1).max(200).default(50),
})
