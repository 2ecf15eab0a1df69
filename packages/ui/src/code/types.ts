export type TokenKind = 'plain' | 'keyword' | 'comment' | 'string' | 'variable' | 'flag'
export interface CodeToken {
  kind: TokenKind
  text: string
}

export interface CodeFinding {
  severity: 'error' | 'warning'
  rule: string
  message: string
  hint: string | null
  /** 1-based; null: about the whole file. */
  line: number | null
  /** 1-based, in UTF-16 units; null: about the whole line. */
  column: number | null
}
