import { CircleX, TriangleAlert } from 'lucide-react'
import { cn } from '../cn'
import type { CodeFinding, CodeToken, TokenKind } from './types'

const TONES: Record<TokenKind, string | undefined> = {
  plain: undefined,
  keyword: 'font-medium text-accent',
  comment: 'text-ink-3',
  string: 'text-live',
  variable: 'text-crit',
  flag: 'text-busy',
}

/** The text of one line, coloured. An empty line keeps its height. */
export function CodeTokens({ tokens }: { tokens: CodeToken[] }) {
  if (tokens.length === 0) return '\n'
  let at = 0
  return tokens.map(({ kind, text }) => {
    at += text.length
    return TONES[kind] ? (
      <span key={at} className={TONES[kind]}>
        {text}
      </span>
    ) : (
      text
    )
  })
}

export function FindingIcon({ severity, className }: { severity: CodeFinding['severity']; className?: string }) {
  const Icon = severity === 'error' ? CircleX : TriangleAlert
  return <Icon className={cn('size-3.5 shrink-0', severity === 'error' ? 'text-fail' : 'text-busy', className)} aria-hidden />
}

/** What was found, in words; the severity too, for those who do not see the icon. `column`: where it stands beneath its line. */
export function FindingText({ finding, column }: { finding: CodeFinding; column?: boolean }) {
  return (
    <span className="min-w-0 break-words">
      <span className="sr-only">{finding.severity}: </span>
      {finding.message}
      {finding.hint && ` ${finding.hint}`} <span className="font-mono text-[11.5px] text-ink-3">{finding.rule}</span>
      {column && finding.column !== null && <span className="num text-ink-3"> at column {finding.column}</span>}
    </span>
  )
}

/** Line by line; what is about the whole file stands at the first one. */
export function findingsByLine(findings: CodeFinding[]): Map<number, CodeFinding[]> {
  const byLine = new Map<number, CodeFinding[]>()
  for (const finding of findings) {
    const line = finding.line ?? 1
    byLine.set(line, [...(byLine.get(line) ?? []), finding])
  }
  return byLine
}
