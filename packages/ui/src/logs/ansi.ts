export interface AnsiSpan {
  text: string
  color: AnsiColor | null
  bold: boolean
}
export type AnsiColor = 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'dim'

// 30–37 and 90–97; magenta and white have no meaning of their own in our palette.
const COLORS: Record<number, AnsiColor | null> = {
  30: 'dim',
  31: 'red',
  32: 'green',
  33: 'yellow',
  34: 'blue',
  35: null,
  36: 'cyan',
  37: null,
  90: 'dim',
}
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control character
const SEQUENCE = /\x1b(?:\[([0-9;?]*)([A-Za-z])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78])/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: what is left after the sequences is not shown
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g

/**
 * Splits one line of a program's output into coloured spans. Only colours are kept; cursor movements and every other control
 * are dropped, and of a line that was overwritten with carriage returns only the last state is shown, as in a terminal.
 */
export function parseAnsi(line: string): AnsiSpan[] {
  const shown = line.includes('\r') ? (line.split('\r').findLast((part) => part !== '') ?? '') : line
  if (!shown.includes('\x1b')) return [{ text: shown.replace(CONTROL, ''), color: null, bold: false }]
  const spans: AnsiSpan[] = []
  let color: AnsiColor | null = null
  let bold = false
  let at = 0
  const push = (text: string) => {
    const clean = text.replace(CONTROL, '')
    if (clean) spans.push({ text: clean, color, bold })
  }
  for (const match of shown.matchAll(SEQUENCE)) {
    push(shown.slice(at, match.index))
    at = match.index + match[0].length
    if (match[2] !== 'm') continue
    for (const code of (match[1] || '0').split(';').map(Number)) {
      if (code === 0) {
        color = null
        bold = false
      } else if (code === 1) bold = true
      else if (code === 2) color = 'dim'
      else if (code === 22) bold = false
      else if (code === 39) color = null
      else if (code === 38 || code === 48) break
      else {
        const known = COLORS[code >= 91 && code <= 97 ? code - 60 : code]
        if (known !== undefined) color = known
      }
    }
  }
  push(shown.slice(at))
  return spans
}

export const stripAnsi = (line: string): string =>
  parseAnsi(line)
    .map((s) => s.text)
    .join('')
