'use client'
import { Button, Input, Select } from '@slipway/ui'
import { Lock, LockOpen, Plus, Trash2 } from 'lucide-react'
import type { ClipboardEvent } from 'react'
import { emptyRow, parseDotEnv, type VariableRow } from './rows'

/** Names and values, one per line. Pasting a .env file into a name fills as many lines as it has. */
export function VariableEditor({
  rows,
  onChange,
  problems,
  withScope,
}: {
  rows: VariableRow[]
  onChange: (rows: VariableRow[]) => void
  problems: Map<number, string>
  /** Offers build arguments too: only where something is built. */
  withScope: boolean
}) {
  const change = (id: number, over: Partial<VariableRow>) => onChange(rows.map((r) => (r.id === id ? { ...r, ...over } : r)))
  const paste = (event: ClipboardEvent, row: VariableRow) => {
    const found = parseDotEnv(event.clipboardData.getData('text'))
    if (!found || row.key !== '') return
    event.preventDefault()
    const filled = found.map((f) => ({ ...emptyRow(row.scope), ...f }))
    onChange(rows.flatMap((r) => (r.id === row.id ? filled : [r])))
  }
  return (
    <div className="grid gap-2">
      {rows.map((row, index) => {
        const problem = problems.get(row.id)
        const name = row.key || `line ${index + 1}`
        return (
          <div key={row.id} className="grid gap-1">
            <div className="flex flex-wrap gap-2 sm:flex-nowrap">
              <Input
                mono
                aria-label={`Name of ${name}`}
                aria-invalid={problem ? true : undefined}
                placeholder="NAME"
                className="basis-40 sm:max-w-60"
                value={row.key}
                spellCheck={false}
                onPaste={(e) => paste(e, row)}
                onChange={(e) => change(row.id, { key: e.target.value })}
              />
              <Input
                mono
                aria-label={`Value of ${name}`}
                placeholder={row.stored ? '•••••••• kept as it is' : 'value'}
                className="min-w-0 flex-1 basis-40"
                type={row.secret ? 'password' : 'text'}
                autoComplete="new-password"
                value={row.value}
                spellCheck={false}
                onChange={(e) => change(row.id, { value: e.target.value })}
              />
              {withScope && (
                <Select
                  aria-label={`Where ${name} is used`}
                  className="w-36 shrink-0"
                  value={row.scope}
                  onChange={(scope) => change(row.id, { scope })}
                  options={[
                    { value: 'runtime', label: 'Environment' },
                    { value: 'build', label: 'Build argument' },
                  ]}
                />
              )}
              <Button
                size="icon"
                variant="ghost"
                aria-pressed={row.secret}
                aria-label={`${name} is a secret`}
                title={
                  row.stored
                    ? 'A secret stays one; remove it and add it anew to show it'
                    : row.secret
                      ? 'Secret: never shown again'
                      : 'Make it a secret'
                }
                disabled={row.stored}
                onClick={() => change(row.id, { secret: !row.secret })}
              >
                {row.secret ? <Lock className="text-accent" aria-hidden /> : <LockOpen aria-hidden />}
              </Button>
              <Button
                size="icon"
                variant="ghost"
                aria-label={`Remove ${name}`}
                onClick={() => onChange(rows.filter((r) => r.id !== row.id))}
              >
                <Trash2 aria-hidden />
              </Button>
            </div>
            {problem && <p className="text-fail text-xs">{problem}</p>}
          </div>
        )
      })}
      <div>
        <Button size="s" icon={<Plus aria-hidden />} onClick={() => onChange([...rows, emptyRow()])}>
          Add a variable
        </Button>
      </div>
    </div>
  )
}
