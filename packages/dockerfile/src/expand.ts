/**
 * Docker's shell-like expansion: quotes, the escape character, `$x`, `${x}`, `${x:-word}`, `${x:+word}`, `${x:?word}` and the
 * forms without a colon, `${x#p}`, `${x##p}`, `${x%p}`, `${x%%p}`, `${x/p/r}` and `${x//p/r}`. The words of the modifiers are
 * expanded themselves.
 */
import { GlobError, newWork, replace, trimPrefix, trimSuffix } from './glob'
import { LIMITS } from './limits'
import { isSpace } from './words'

export type Lookup = (name: string) => string | undefined

/** Thrown by `expand`; the caller turns it into a DockerfileError at `offset` characters into the word. */
export class ExpansionError extends Error {
  readonly code: string
  readonly offset: number
  constructor(code: string, message: string, offset: number) {
    super(message)
    this.code = code
    this.offset = offset
  }
}

export interface Expansion {
  text: string
  /** The result cut at white space that stood unquoted or came out of a variable (EXPOSE). */
  words: string[]
  /** Variables that were not set. */
  unset: Set<string>
}

const NAME_CHAR = /[\p{L}\p{Nd}_]/u
const DIGIT = /\d/
const SPECIAL = new Set(['@', '*', '#', '?', '-', '$', '!', '0'])

class Expander {
  readonly unset = new Set<string>()
  readonly #source: string
  readonly #lookup: Lookup
  readonly #escape: string
  readonly #quotes: boolean
  readonly #work = newWork()
  #pos = 0
  #depth = 0
  #length = 0

  constructor(source: string, lookup: Lookup, escapeChar: string, quotes: boolean) {
    this.#source = source
    this.#lookup = lookup
    this.#escape = escapeChar
    this.#quotes = quotes
  }

  run(): Expansion {
    const words: string[] = []
    let word: string[] = []
    let inWord = false
    const flush = () => {
      if (inWord) words.push(word.join(''))
      word = []
      inWord = false
    }
    const text = this.#until('', (part, raw) => {
      for (const ch of raw ? [part] : part) {
        if (!raw && isSpace(ch)) flush()
        else if (ch !== '') {
          word.push(ch)
          inWord = true
        }
      }
    })
    flush()
    return { text, words, unset: this.unset }
  }

  /**
   * Expands up to `stop` ('' is the end of the text). `emit(part, raw)`: raw parts are never cut into words. `keepEscapes`: for
   * patterns, which have escapes of their own.
   */
  #until(stop: string, emit?: (part: string, raw: boolean) => void, keepEscapes = false): string {
    const out: string[] = []
    const add = (part: string, raw: boolean) => {
      this.#length += part.length
      if (this.#length > LIMITS.valueLength * 2) throw this.#fail('EXPANSION_TOO_LARGE', 'The expanded value is larger than 128 KiB.')
      out.push(part)
      emit?.(part, raw)
    }
    while (this.#pos < this.#source.length) {
      const ch = this.#source[this.#pos] ?? ''
      if (stop !== '' && ch === stop) {
        this.#pos++
        return out.join('')
      }
      if (ch === "'" && this.#quotes) add(this.#singleQuoted(), true)
      else if (ch === '"' && this.#quotes) add(this.#doubleQuoted(), true)
      else if (ch === '$') add(this.#dollar(), false)
      else if (ch === this.#escape) {
        const next = this.#source[this.#pos + 1]
        this.#pos += 2
        if (next !== undefined) add(keepEscapes ? ch + next : next, true)
      } else {
        add(ch, false)
        this.#pos++
      }
    }
    if (stop !== '') throw this.#fail('BAD_SUBSTITUTION', 'A substitution is not closed by }.')
    return out.join('')
  }

  #singleQuoted(): string {
    const end = this.#source.indexOf("'", this.#pos + 1)
    if (end === -1) throw this.#fail('OPEN_QUOTE', 'A single quote is not closed.')
    const text = this.#source.slice(this.#pos + 1, end)
    this.#pos = end + 1
    return text
  }

  #doubleQuoted(): string {
    const start = this.#pos++
    const out: string[] = []
    while (this.#pos < this.#source.length) {
      const ch = this.#source[this.#pos] ?? ''
      if (ch === '"') {
        this.#pos++
        return out.join('')
      }
      if (ch === '$') {
        out.push(this.#dollar())
        continue
      }
      if (ch === this.#escape) {
        const next = this.#source[this.#pos + 1]
        if (next === undefined) break
        // Only these are escaped inside double quotes; the escape character stays before all others.
        out.push(next === '"' || next === '$' || next === this.#escape ? next : ch + next)
        this.#pos += 2
        continue
      }
      out.push(ch)
      this.#pos++
    }
    this.#pos = start
    throw this.#fail('OPEN_QUOTE', 'A double quote is not closed.')
  }

  #name(): string {
    const first = this.#source[this.#pos]
    if (first === undefined) return ''
    const start = this.#pos
    if (DIGIT.test(first)) {
      while (DIGIT.test(this.#source[this.#pos] ?? '')) this.#pos++
    } else if (SPECIAL.has(first)) this.#pos++
    else while (NAME_CHAR.test(this.#source[this.#pos] ?? '')) this.#pos++
    return this.#source.slice(start, this.#pos)
  }

  #get(name: string): string | undefined {
    const value = this.#lookup(name)
    if (value === undefined) this.unset.add(name)
    return value
  }

  #dollar(): string {
    const start = this.#pos++
    if (this.#source[this.#pos] !== '{') {
      const name = this.#name()
      return name === '' ? '$' : (this.#get(name) ?? '')
    }
    this.#pos++
    const name = this.#name()
    let modifier = this.#source[this.#pos++]
    const bad = (message: string) => {
      this.#pos = start
      return this.#fail('BAD_SUBSTITUTION', message)
    }
    if (name === '') throw bad('A substitution needs a variable name.')
    if (modifier === undefined) throw bad('A substitution is not closed by }.')
    if (modifier === '}') return this.#get(name) ?? ''
    let emptyIsUnset = false
    if (modifier === ':') {
      emptyIsUnset = true
      modifier = this.#source[this.#pos++]
    }
    if (!emptyIsUnset && (modifier === '#' || modifier === '%' || modifier === '/')) return this.#matched(start, name, modifier)
    if (modifier !== '-' && modifier !== '+' && modifier !== '?')
      throw bad(`The substitution \${${name}${emptyIsUnset ? ':' : ''}${modifier ?? ''} is unknown.`)
    if (++this.#depth > LIMITS.expansionDepth) throw bad(`Substitutions are nested more than ${LIMITS.expansionDepth} deep.`)
    const word = this.#until('}')
    this.#depth--
    const value = this.#get(name)
    const missing = value === undefined || (emptyIsUnset && value === '')
    // A default was given for it: no reason to warn.
    if (modifier !== '?') this.unset.delete(name)
    if (modifier === '-') return missing ? word : value
    if (modifier === '+') return missing ? '' : word
    if (missing) {
      this.#pos = start
      throw this.#fail('VARIABLE_REQUIRED', `${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}.`)
    }
    return value
  }

  /** What is left of a value after its pattern. */
  #matched(start: number, name: string, modifier: '#' | '%' | '/'): string {
    const twice = this.#source[this.#pos] === modifier
    if (twice) this.#pos++
    if (++this.#depth > LIMITS.expansionDepth)
      throw this.#fail('BAD_SUBSTITUTION', `Substitutions are nested more than ${LIMITS.expansionDepth} deep.`)
    const pattern = this.#until(modifier === '/' ? '/' : '}', undefined, true)
    const replacement = modifier === '/' ? this.#until('}', undefined, true) : ''
    this.#depth--
    const value = this.#get(name)
    if (value === undefined) return ''
    try {
      if (modifier === '#') return trimPrefix(value, pattern, twice, this.#work)
      if (modifier === '%') return trimSuffix(value, pattern, twice, this.#work)
      return replace(value, pattern, replacement, twice, this.#work)
    } catch (error) {
      if (!(error instanceof GlobError)) throw error
      this.#pos = start
      throw this.#fail('BAD_PATTERN', `The pattern of \${${name}${modifier}…} is wrong: ${error.message}.`)
    }
  }

  #fail(code: string, message: string): ExpansionError {
    return new ExpansionError(code, message, Math.min(this.#pos, this.#source.length))
  }
}

/** @throws ExpansionError */
export function expand(text: string, lookup: Lookup, escapeChar: string): Expansion {
  return bounded(new Expander(text, lookup, escapeChar, true).run())
}

/** The content of a heredoc: quotes mean nothing in it, and the escape character is always a backslash. @throws ExpansionError */
export function expandContent(text: string, lookup: Lookup): Expansion {
  return bounded(new Expander(text, lookup, '\\', false).run())
}

function bounded(result: Expansion): Expansion {
  if (result.text.length > LIMITS.valueLength)
    throw new ExpansionError('EXPANSION_TOO_LARGE', 'The expanded value is larger than 128 KiB.', 0)
  return result
}
