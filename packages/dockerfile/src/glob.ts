/**
 * The patterns of `${x#p}`, `${x%p}` and `${x/p/r}`: `*`, `?`, and a backslash before `*`, `?`, `\`, `}` or `/`. Matched by
 * stepping a set of states, so that no pattern takes more than length × length steps.
 * https://docs.docker.com/reference/dockerfile/#environment-replacement
 */
import { LIMITS } from './limits'

type Token = { kind: 'char'; char: string } | { kind: 'one' } | { kind: 'many' }

export class GlobError extends Error {}

/** Steps that one expansion may still take. */
export interface Work {
  left: number
}

export const newWork = (): Work => ({ left: LIMITS.globWork })

/** @throws GlobError for an escape that means nothing. */
export function parseGlob(pattern: string): Token[] {
  const tokens: Token[] = []
  const chars = [...pattern]
  for (let i = 0; i < chars.length; i++) {
    const ch = chars[i] ?? ''
    if (ch === '*') {
      if (tokens.at(-1)?.kind !== 'many') tokens.push({ kind: 'many' })
    } else if (ch === '?') tokens.push({ kind: 'one' })
    else if (ch === '\\') {
      const next = chars[++i]
      if (next === undefined || !'*?\\}/'.includes(next)) throw new GlobError(`\\${next ?? ''} is no escape in a pattern`)
      tokens.push({ kind: 'char', char: next })
    } else tokens.push({ kind: 'char', char: ch })
  }
  return tokens
}

/** End (exclusive) of the match that begins at `from`, the longest or the shortest; -1 for none. A dot matches no line end, as in Go. */
function matchAt(tokens: readonly Token[], text: readonly string[], from: number, longest: boolean, work: Work): number {
  let states = new Set<number>([0])
  const close = (set: Set<number>) => {
    for (const state of set) if (tokens[state]?.kind === 'many') set.add(state + 1)
    return set
  }
  close(states)
  let found = -1
  for (let at = from; ; at++) {
    work.left -= states.size + 1
    if (work.left < 0) throw new GlobError('the pattern takes too long on this value')
    if (states.has(tokens.length)) {
      found = at
      if (!longest) return found
    }
    const ch = text[at]
    if (ch === undefined || states.size === 0) return found
    const next = new Set<number>()
    for (const state of states) {
      const token = tokens[state]
      if (token?.kind === 'many' && ch !== '\n') next.add(state)
      else if (token?.kind === 'one' && ch !== '\n') next.add(state + 1)
      else if (token?.kind === 'char' && token.char === ch) next.add(state + 1)
    }
    states = close(next)
  }
}

/** `${x#p}`, and `${x##p}` with `longest`. */
export function trimPrefix(value: string, pattern: string, longest: boolean, work: Work): string {
  const text = [...value]
  const end = matchAt(parseGlob(pattern), text, 0, longest, work)
  return end === -1 ? value : text.slice(end).join('')
}

/** `${x%p}`, and `${x%%p}` with `longest`. */
export function trimSuffix(value: string, pattern: string, longest: boolean, work: Work): string {
  const text = [...value].reverse()
  const end = matchAt(parseGlob(pattern).reverse(), text, 0, longest, work)
  return end === -1 ? value : text.slice(end).reverse().join('')
}

/** `${x/p/r}`, and `${x//p/r}` with `all`. The longest match at the first place where there is one. */
export function replace(value: string, pattern: string, replacement: string, all: boolean, work: Work): string {
  const tokens = parseGlob(pattern)
  const text = [...value]
  const out: string[] = []
  let at = 0
  let lastEnd = -1
  while (at <= text.length) {
    const end = matchAt(tokens, text, at, true, work)
    // An empty match right after another one does not count, as in Go.
    if (end !== -1 && !(end === at && at === lastEnd)) {
      out.push(replacement)
      lastEnd = end
      if (!all) return out.join('') + text.slice(end).join('')
      if (end > at) {
        at = end
        continue
      }
    }
    if (at < text.length) out.push(text[at] ?? '')
    at++
  }
  return out.join('')
}
