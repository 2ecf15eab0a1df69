/**
 * Physical lines → logical lines: continuation by the escape character, comment and empty lines inside a continuation
 * dropped, every character traceable to its line and column.
 */
import type { DockerfileWarning, Position } from './errors'
import { type Heredoc, heredocsOf } from './heredoc'
import type { Source } from './source'

interface Piece {
  /** Where this piece starts in the logical text. */
  offset: number
  line: number
  /** Column of the piece's first character. */
  column: number
}

export interface LogicalLine {
  /** Joined text, left-trimmed, continuation characters removed; inner white space kept as written. */
  text: string
  startLine: number
  endLine: number
  pieces: Piece[]
  /** Comment lines right above. */
  comments: string[]
  /** In the order in which they stand in the line. */
  heredocs: Heredoc[]
}

/** Line and column of an offset in the logical text. An offset at the very end gives the place after the last character. */
export function positionAt(line: LogicalLine, offset: number): Position {
  let low = 0
  let high = line.pieces.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((line.pieces[middle]?.offset ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  const piece = line.pieces[low]
  return piece ? { line: piece.line, column: piece.column + offset - piece.offset } : { line: line.startLine, column: 1 }
}

/** Length of the line without its continuation mark, or -1 when the line does not continue. `\\` at the end does not. */
function continuesAt(text: string, escapeChar: string): number {
  let end = text.length
  while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--
  if (text[end - 1] !== escapeChar) return -1
  return text[end - 2] === escapeChar ? -1 : end - 1
}

export function lex(source: Source, escapeChar: string, warnings: DockerfileWarning[]): LogicalLine[] {
  const out: LogicalLine[] = []
  let comments: string[] = []
  const { lines } = source
  for (let i = 0; i < lines.length; i++) {
    const raw = lines[i] ?? ''
    const text = raw.trimStart()
    if (text.startsWith('#')) {
      const comment = text.slice(1).trim()
      if (comment === '') comments = []
      else comments.push(comment)
      continue
    }
    if (text === '') {
      comments = []
      continue
    }
    const parts: string[] = []
    const pieces: Piece[] = []
    let length = 0
    const startLine = i + 1
    let endLine = startLine
    let emptyAt = 0
    const take = (part: string, line: number, column: number): boolean => {
      const cut = continuesAt(part, escapeChar)
      const kept = cut === -1 ? part : part.slice(0, cut)
      pieces.push({ offset: length, line, column })
      parts.push(kept)
      length += kept.length
      endLine = line
      return cut !== -1
    }
    let open = take(text, startLine, raw.length - text.length + 1)
    while (open && i + 1 < lines.length) {
      i++
      const next = lines[i] ?? ''
      const trimmed = next.trimStart()
      if (trimmed.startsWith('#')) continue
      if (trimmed === '') {
        // The empty end of the file after a last continuation is no empty continuation line.
        if (i + 1 < lines.length) emptyAt ||= i + 1
        continue
      }
      open = take(next, i + 1, 1)
    }
    if (emptyAt) {
      warnings.push({ rule: 'NoEmptyContinuation', message: 'Empty continuation line; it will become an error in Docker.', line: emptyAt })
    }
    const logical = parts.join('')
    const heredocs: Heredoc[] = []
    // A file is what is written, but no shell of Linux takes a script with such ends.
    const keepsReturns = !/^\s*(?:ONBUILD\s+)?RUN\b/i.test(logical)
    for (const start of heredocsOf(logical, escapeChar)) {
      const first = i + 1
      let last = first
      const isEnd = (line: string) => (start.chomp ? line.replace(/^\t+/, '') : line) === start.name
      while (last < lines.length && !isEnd(lines[last] ?? '')) last++
      if (last >= lines.length) {
        throw source.error(
          'HEREDOC_NOT_ENDED',
          `The heredoc ${start.word} does not end.`,
          { line: startLine, column: 1 },
          { hint: `End it with a line that holds ${start.name} and nothing else.` },
        )
      }
      heredocs.push({
        ...start,
        content: lines
          .slice(first, last)
          .map((line, index) => (keepsReturns && source.returns.has(first + index) ? `${line}\r\n` : `${line}\n`))
          .join(''),
        line: first + 1,
      })
      i = last
      endLine = last + 1
    }
    out.push({ text: logical, startLine, endLine, pieces, comments, heredocs })
    comments = []
  }
  return out
}
