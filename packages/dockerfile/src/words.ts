/** The ways Docker cuts an instruction's arguments into words. Offsets are into the logical line. */

export interface Word {
  text: string
  /** Offset of the first character in the logical line. For an element of a JSON array: of the array. */
  offset: number
}

export const isSpace = (ch: string | undefined): boolean =>
  ch !== undefined && (ch === ' ' || (ch >= '\t' && ch <= '\r') || (ch > '\x7f' && /\s/.test(ch)))
/** Between keyword and arguments, and in the instructions without quotes, only these separate. */
const isBlank = (ch: string | undefined): boolean => ch === ' ' || ch === '\t' || ch === '\v' || ch === '\f' || ch === '\r'

/** FROM, EXPOSE, and COPY/ADD/VOLUME that are no JSON: blanks separate, quotes mean nothing. */
export function blankSeparated(text: string, offset: number): Word[] {
  const words: Word[] = []
  let start = -1
  for (let i = 0; i <= text.length; i++) {
    if (i === text.length || isBlank(text[i])) {
      if (start !== -1) words.push({ text: text.slice(start, i), offset: offset + start })
      start = -1
    } else if (start === -1) start = i
  }
  return words
}

/** ENV, LABEL and ARG: white space separates unless quoted or escaped; quotes and escapes stay in the word for the expansion. */
export function quotedWords(text: string, offset: number, escapeChar: string): Word[] {
  const words: Word[] = []
  let i = 0
  while (i < text.length) {
    if (isSpace(text[i])) {
      i++
      continue
    }
    const start = i
    let quote = ''
    let dropLast = false
    while (i < text.length) {
      const ch = text[i] ?? ''
      if (quote === '') {
        if (isSpace(ch)) break
        if (ch === "'" || ch === '"') quote = ch
      } else if (ch === quote) quote = ''
      // Inside single quotes nothing is escaped.
      if (ch === escapeChar && quote !== "'") {
        if (i + 1 === text.length) {
          dropLast = true
          i++
          break
        }
        i++
      }
      i++
    }
    const word = text.slice(start, dropLast ? i - 1 : i)
    if (word !== '') words.push({ text: word, offset: offset + start })
  }
  return words
}

/**
 * Leading `--name=value` words. Quotes group, a backslash takes the next character as it is (whatever the escape directive
 * says, as in Docker). `--` alone ends them. Returns where the arguments begin.
 */
export function leadingFlags(text: string, from: number): { flags: Word[]; rest: number } {
  const flags: Word[] = []
  let i = from
  for (;;) {
    while (i < text.length && isSpace(text[i])) i++
    if (!text.startsWith('--', i)) return { flags, rest: i }
    const start = i
    const chars: string[] = []
    let quote = ''
    for (; i < text.length; i++) {
      const ch = text[i] ?? ''
      if (quote === '' && isSpace(ch)) break
      if (quote === '' && (ch === "'" || ch === '"')) quote = ch
      else if (quote !== '' && ch === quote) quote = ''
      else if (ch === '\\') {
        if (i + 1 < text.length) chars.push(text[++i] ?? '')
      } else chars.push(ch)
    }
    const word = chars.join('')
    if (word === '--') {
      while (i < text.length && isSpace(text[i])) i++
      return { flags, rest: i }
    }
    flags.push({ text: word, offset: start })
  }
}

export type JsonArray = { kind: 'none' } | { kind: 'strings'; items: string[] } | { kind: 'not-strings' } | { kind: 'malformed' }

/** The exec form: text that is a JSON array of strings, wholly. What starts with `[` but is no JSON is shell text in Docker. */
export function jsonArray(text: string): JsonArray {
  if (!text.startsWith('[')) return { kind: 'none' }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { kind: 'malformed' }
  }
  if (!Array.isArray(value)) return { kind: 'malformed' }
  return value.every((item): item is string => typeof item === 'string') ? { kind: 'strings', items: value } : { kind: 'not-strings' }
}
