/**
 * The few regular expressions that .dockerignore patterns become, matched in time linear in pattern × path.
 * moby/patternmatcher hands them to Go's RE2; JavaScript's engine would backtrack for minutes on a hostile pattern
 * such as a hundred `**` in a row, so they run on a set of states here.
 */

type Test = (char: string, code: number) => boolean

/** `optional` guards a group: the state may also jump to `skip`. */
type State = { kind: 'test'; test: Test } | { kind: 'star'; test: Test } | { kind: 'group'; skip: number } | { kind: 'start' }

const anyButNewline: Test = (char) => char !== '\n'
const notSlash: Test = (char) => char !== '/'

const CLASSES: ReadonlyMap<string, Test> = new Map([
  ['d', (char) => /[0-9]/.test(char)],
  ['D', (char) => !/[0-9]/.test(char)],
  ['s', (char) => /[\t\n\f\r ]/.test(char)],
  ['S', (char) => !/[\t\n\f\r ]/.test(char)],
  ['w', (char) => /[0-9A-Za-z_]/.test(char)],
  ['W', (char) => !/[0-9A-Za-z_]/.test(char)],
])
const CONTROL: ReadonlyMap<string, string> = new Map([
  ['a', '\x07'],
  ['f', '\f'],
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
  ['v', '\v'],
])

/** A pattern that Go refuses. */
export class BadPattern extends Error {}

export class LinearRegexp {
  readonly #states: State[]

  constructor(states: State[]) {
    this.#states = states
  }

  get size(): number {
    return this.#states.length
  }

  /** Whether the whole text matches. */
  test(text: string): boolean {
    const states = this.#states
    const end = states.length
    let current = new Uint8Array(end + 1)
    let next = new Uint8Array(end + 1)
    this.#reach(current, 0, true)
    for (const char of text) {
      const code = char.codePointAt(0) ?? 0
      next.fill(0)
      let alive = false
      for (let i = 0; i < end; i++) {
        const state = states[i]
        if (!current[i] || !state || (state.kind !== 'test' && state.kind !== 'star') || !state.test(char, code)) continue
        this.#reach(next, state.kind === 'star' ? i : i + 1, false)
        alive = true
      }
      if (!alive) return false
      ;[current, next] = [next, current]
    }
    return current[end] === 1
  }

  /** Marks a state and all that follow it without reading a character. */
  #reach(set: Uint8Array, from: number, atStart: boolean): void {
    for (let i = from; ; ) {
      if (set[i]) return
      set[i] = 1
      const state = this.#states[i]
      if (!state || state.kind === 'test') return
      if (state.kind === 'start') {
        // `^` in the middle of a pattern: an assertion in Go, so it holds at the text's start only.
        if (!atStart) {
          set[i] = 0
          return
        }
        i++
        continue
      }
      if (state.kind === 'group') this.#reach(set, state.skip, atStart)
      i++
    }
  }
}

/**
 * Compiles a cleaned pattern as moby/patternmatcher does: `**` crosses slashes, `*` and `?` do not, `[…]` is a character
 * class, a backslash escapes.
 * @throws BadPattern
 */
export function compile(pattern: string): LinearRegexp {
  const chars = [...pattern]
  const states: State[] = []
  const literal = (char: string): State => ({ kind: 'test', test: (c) => c === char })
  let i = 0
  while (i < chars.length) {
    const char = chars[i] ?? ''
    i++
    if (char === '*') {
      if (chars[i] !== '*') {
        states.push({ kind: 'star', test: notSlash })
        continue
      }
      i++
      if (chars[i] === '/') i++
      if (i >= chars.length) states.push({ kind: 'star', test: anyButNewline })
      else states.push({ kind: 'group', skip: states.length + 3 }, { kind: 'star', test: anyButNewline }, literal('/'))
    } else if (char === '?') states.push({ kind: 'test', test: notSlash })
    else if (char === '^') states.push({ kind: 'start' })
    else if (char === '[') {
      const parsed = characterClass(chars, i)
      states.push({ kind: 'test', test: parsed.test })
      i = parsed.next
    } else if (char === '\\') {
      const escaped = chars[i]
      if (escaped === undefined) throw new BadPattern('the pattern ends with a backslash')
      i++
      states.push({ kind: 'test', test: escapeTest(escaped) })
    } else states.push(literal(char))
  }
  return new LinearRegexp(states)
}

/** `\x` outside of a class, as RE2 reads it: letters have meanings of their own, everything else is itself. */
function escapeTest(char: string): Test {
  const known = CLASSES.get(char)
  if (known) return known
  const control = CONTROL.get(char)
  if (control !== undefined) return (c) => c === control
  if (/[0-9A-Za-z]/.test(char)) throw new BadPattern(`\\${char} is no known escape`)
  return (c) => c === char
}

function characterClass(chars: string[], from: number): { test: Test; next: number } {
  let i = from
  const negated = chars[i] === '^'
  if (negated) i++
  const parts: Test[] = []
  const single = (): number | Test => {
    const char = chars[i]
    if (char === undefined) throw new BadPattern('a [ is not closed')
    i++
    if (char !== '\\') {
      if (char === '-') throw new BadPattern('a range has no start')
      return char.codePointAt(0) ?? 0
    }
    const escaped = chars[i]
    if (escaped === undefined) throw new BadPattern('a [ is not closed')
    i++
    const known = CLASSES.get(escaped)
    if (known) return known
    return (CONTROL.get(escaped) ?? escaped).codePointAt(0) ?? 0
  }
  for (let first = true; first || chars[i] !== ']'; first = false) {
    if (chars[i] === ']') throw new BadPattern('a character class is empty')
    const low = single()
    if (typeof low === 'function') {
      parts.push(low)
      continue
    }
    if (chars[i] !== '-') {
      parts.push((_, code) => code === low)
      continue
    }
    i++
    if (chars[i] === ']') throw new BadPattern('a range has no end')
    const high = single()
    if (typeof high === 'function' || high < low) throw new BadPattern('a range is turned around')
    parts.push((_, code) => code >= low && code <= high)
  }
  const test: Test = (char, code) => parts.some((part) => part(char, code)) !== negated
  return { test, next: i + 1 }
}
