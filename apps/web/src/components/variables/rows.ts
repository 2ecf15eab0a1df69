import { inputs, type views } from '@slipway/contracts'
import type { z } from 'zod'

/** One line of the editor. `stored`: a secret whose value the server keeps and never sends. */
export interface VariableRow {
  id: number
  key: string
  value: string
  secret: boolean
  scope: 'runtime' | 'build'
  stored: boolean
}

let nextId = 1
export const emptyRow = (scope: VariableRow['scope'] = 'runtime'): VariableRow => ({
  id: nextId++,
  key: '',
  value: '',
  secret: false,
  scope,
  stored: false,
})

export const rowsOf = (variables: views.VariableView[]): VariableRow[] =>
  variables.map((v) => ({ id: nextId++, key: v.key, value: v.value ?? '', secret: v.secret, scope: v.scope, stored: v.secret }))

/** Lines without a key are not there; a stored secret that was not typed anew keeps its value. */
export function toInput(rows: VariableRow[]): z.input<typeof inputs.variable>[] {
  return rows
    .filter((r) => r.key.trim() !== '' || r.value !== '')
    .map((r) => ({
      scope: r.scope,
      key: r.key.trim(),
      secret: r.secret,
      ...(r.stored && r.value === '' ? {} : { value: r.value }),
    }))
}

/** What is wrong, by row id. */
export function problemsOf(rows: VariableRow[]): Map<number, string> {
  const problems = new Map<number, string>()
  const seen = new Set<string>()
  for (const row of rows) {
    const key = row.key.trim()
    if (key === '' && row.value === '') continue
    const parsed = inputs.variableKey.safeParse(key)
    if (!parsed.success) problems.set(row.id, parsed.error.issues[0]?.message ?? 'That is not a valid name.')
    else if (seen.has(`${row.scope}:${key}`)) problems.set(row.id, 'This name is there twice.')
    seen.add(`${row.scope}:${key}`)
  }
  return problems
}

/** Lines of a .env file: `KEY=value`, `export KEY="value"`, comments left out. Null when the text is something else. */
export function parseDotEnv(text: string): { key: string; value: string }[] | null {
  const found: { key: string; value: string }[] = []
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const match = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(trimmed)
    const [, key, raw] = match ?? []
    if (key === undefined || raw === undefined) return null
    found.push({ key, value: unquote(raw) })
  }
  return found.length > 0 ? found : null
}

function unquote(raw: string): string {
  const quoted = /^(["'])(.*)\1\s*(?:#.*)?$/.exec(raw)
  if (quoted) return quoted[1] === '"' ? (quoted[2] ?? '').replaceAll('\\n', '\n').replaceAll('\\"', '"') : (quoted[2] ?? '')
  return raw.replace(/\s+#.*$/, '').trim()
}
