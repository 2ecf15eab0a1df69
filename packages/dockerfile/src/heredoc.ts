/**
 * Heredocs: `RUN <<EOF`, `COPY <<a.txt <<"b.txt" /dest/`. Which words begin one, and what their lines hold.
 * https://docs.docker.com/reference/dockerfile/#here-documents
 */
import { isSpace, jsonArray, leadingFlags } from './words'

export interface Heredoc {
  name: string
  /** Not quoted: Docker expands variables in the content (of COPY and ADD; a RUN leaves that to its shell). */
  expand: boolean
  /** `<<-`: tabs at the beginning of its lines are dropped. */
  chomp: boolean
  /** Its lines, each with its line end; of RUN, without those of Windows. */
  content: string
  /** The word as written. */
  word: string
  /** 1-based line of the first content line. */
  line: number
}

export type HeredocStart = Pick<Heredoc, 'name' | 'expand' | 'chomp' | 'word'>

/** `<<EOF`, `3<<-"EOF"`; not `<<<word`, not `<<` alone. */
const START = /^\d*<<(-?)([^<]+)$/
const LONGEST = 256
const TAKE_HEREDOCS = new Set(['ADD', 'COPY', 'RUN'])

/** `word` as the start of a heredoc, or null. */
export function heredocStart(word: string, escapeChar: string): HeredocStart | null {
  if (word.length > LONGEST) return null
  const [, dash, rest = ''] = START.exec(word) ?? []
  if (rest === '') return null
  const name = unquote(rest, escapeChar)
  return name === null ? null : { name, expand: name === rest, chomp: dash === '-', word }
}

/** Without quotes and escapes; null when a quote is not closed. */
function unquote(text: string, escapeChar: string): string | null {
  const out: string[] = []
  let quote = ''
  for (let i = 0; i < text.length; i++) {
    const ch = text[i] ?? ''
    if (quote !== '' && ch === quote) quote = ''
    else if (quote === '' && (ch === '"' || ch === "'")) quote = ch
    else if (ch === escapeChar && quote !== "'") out.push(text[++i] ?? '')
    else out.push(ch)
  }
  return quote === '' ? out.join('') : null
}

/** The heredocs that an instruction's line begins, in order. Only ADD, COPY and RUN (also behind ONBUILD) have them, and not in JSON form. */
export function heredocsOf(text: string, escapeChar: string): HeredocStart[] {
  if (!text.includes('<<')) return []
  let end = 0
  while (end < text.length && !isSpace(text[end])) end++
  const keyword = text.slice(0, end).toUpperCase()
  const rest = leadingFlags(text, end).rest
  if (keyword === 'ONBUILD') return heredocsOf(text.slice(rest), escapeChar)
  if (!TAKE_HEREDOCS.has(keyword) || jsonArray(text.slice(rest).trimEnd()).kind === 'strings') return []
  return shellWords(text.slice(rest), escapeChar)
    .map((word) => heredocStart(word, escapeChar))
    .filter((start) => start !== null)
}

/** Cut at white space outside quotes; quotes and escapes stay. */
function shellWords(text: string, escapeChar: string): string[] {
  const words: string[] = []
  let start = -1
  let quote = ''
  for (let i = 0; i <= text.length; i++) {
    const ch = text[i]
    if (i === text.length || (quote === '' && isSpace(ch))) {
      if (start !== -1) words.push(text.slice(start, i))
      start = -1
      continue
    }
    if (start === -1) start = i
    if (quote !== '') {
      if (ch === quote) quote = ''
      else if (ch === escapeChar && quote === '"') i++
    } else if (ch === "'" || ch === '"') quote = ch
    else if (ch === escapeChar) i++
  }
  return words
}

/** Drops the tabs that `<<-` lets stand before a line. */
export const chompTabs = (content: string): string => content.replace(/^\t+/gm, '')

/** What the content is, for a person: its first words. */
export const contentOf = (heredoc: Heredoc): string => (heredoc.chomp ? chompTabs(heredoc.content) : heredoc.content)
