/** Text of a payload, which whoever writes a commit or opens a pull request chooses: cut, and without what a page or Postgres cannot take. */
import * as z from 'zod'

/** Marks that turn the direction of what follows, also of our own words behind it. */
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

export const text = (max: number) => z.string().transform((value) => value.replaceAll('\0', '\uFFFD').slice(0, max))
/** Of one line. */
export const line = (max: number) =>
  z.string().transform((value) =>
    value
      .replace(/\p{Cc}+/gu, ' ')
      .replace(TURNS, '')
      .trim()
      .slice(0, max),
  )
export const commitId = z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/)
