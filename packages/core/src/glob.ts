/**
 * Patterns of names (tags, repositories): `*` stands for any characters, none too and slashes too, `?` for exactly one. There is
 * no other sign and no escape, and a pattern takes at most length × length steps: what a person types can never stall a push.
 */
export const GLOB_MAX = 128

/** What a pattern may be made of: the characters of tags and repository names, and the two signs. */
export const GLOB_PATTERN = /^[A-Za-z0-9._/*?-]{1,128}$/

export function globMatches(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  // Where the last `*` stands, and what it has taken so far: only the last one is ever tried again.
  let star = -1
  let taken = 0
  while (t < text.length) {
    if (p < pattern.length && (pattern[p] === '?' || (pattern[p] === text[t] && pattern[p] !== '*'))) {
      p++
      t++
    } else if (pattern[p] === '*') {
      star = p++
      taken = t
    } else if (star >= 0) {
      p = star + 1
      t = ++taken
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
