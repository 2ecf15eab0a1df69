import { KEYWORDS } from '@slipway/dockerfile'
import type { CodeToken } from '@slipway/ui'

const KNOWN = new Set<string>(KEYWORDS)
/** Larger files are shown without colours: they are looked at, not written. */
const MOST = 200_000
const HEREDOC = /<<-?\s*(["']?)([A-Za-z_]\w*)\1/g
const PARTS =
  /(?<string>"(?:[^"\\]|\\.)*"|'[^']*')|(?<variable>\$\{[^}]*\}|\$[A-Za-z_]\w*)|(?<flag>(?<=\s)--[\w-]+(?:=\S+)?)|(?<as>(?<=\s)AS(?=\s))/gi

/** The tokens of each line; joined they are the line again. Good for eyes only: the parser decides what a line means. */
export function highlightDockerfile(text: string): CodeToken[][] {
  const lines = text.split('\n')
  if (text.length > MOST) return lines.map((line) => (line === '' ? [] : [{ kind: 'plain', text: line }]))
  const heredocs: string[] = []
  let continued = false
  return lines.map((line) => {
    const [ends] = heredocs
    if (ends !== undefined) {
      if (line.trim() === ends) heredocs.shift()
      return line === '' ? [] : [{ kind: 'string' as const, text: line }]
    }
    if (/^\s*#/.test(line)) return [{ kind: 'comment' as const, text: line }]
    const keyword = continued ? null : /^(\s*)([A-Za-z]+)(?=\s|$)/.exec(line)
    const known = keyword !== null && KNOWN.has((keyword[2] ?? '').toUpperCase())
    for (const match of known && /^(?:RUN|COPY|ADD)$/i.test(keyword[2] ?? '') ? line.matchAll(HEREDOC) : [])
      if (match[2] !== undefined) heredocs.push(match[2])
    // A comment or an empty line between two halves of an instruction does not end it.
    continued = /[\\`]\s*$/.test(line) || (continued && line.trim() === '')
    const head = known ? keyword[0] : ''
    return [...(head ? [{ kind: 'keyword' as const, text: head }] : []), ...argumentsOf(line.slice(head.length))]
  })
}

function argumentsOf(text: string): CodeToken[] {
  const tokens: CodeToken[] = []
  let at = 0
  for (const match of text.matchAll(PARTS)) {
    if (match.index > at) tokens.push({ kind: 'plain', text: text.slice(at, match.index) })
    const { string, variable, flag } = match.groups ?? {}
    tokens.push({ kind: string ? 'string' : variable ? 'variable' : flag ? 'flag' : 'keyword', text: match[0] })
    at = match.index + match[0].length
  }
  if (at < text.length) tokens.push({ kind: 'plain', text: text.slice(at) })
  return tokens
}
