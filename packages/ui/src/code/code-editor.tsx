'use client'
import { useMemo, useRef } from 'react'
import { cn } from '../cn'
import { useEarlyText } from '../early-text'
import { CodeTokens, FindingIcon, FindingText, findingsByLine } from './code-line'
import { LineNumber } from './code-view'
import type { CodeFinding, CodeToken } from './types'

/** What both layers share to the pixel: the coloured text lies exactly under the one that is typed. */
const TEXT = 'whitespace-pre px-0 pr-4 font-mono text-[12.5px] leading-5 [tab-size:4]'

/**
 * A plain textarea over the coloured text, so that typing, undo, spell tools, screen readers and phones work as they always do.
 * Lines are numbered; those with findings are marked, and the findings below lead to them. Tab leaves it, as on every form.
 */
export function CodeEditor({
  id,
  value,
  onChange,
  lines,
  label,
  findings = [],
  maxLength,
  invalid,
  describedBy,
  className,
}: {
  id?: string
  value: string
  onChange: (value: string) => void
  /** `value`, coloured; may lag behind while typing. */
  lines: CodeToken[][]
  label: string
  findings?: CodeFinding[]
  maxLength?: number
  invalid?: boolean
  describedBy?: string
  className?: string
}) {
  const area = useRef<HTMLTextAreaElement>(null)
  useEarlyText(area, value)
  const byLine = useMemo(() => findingsByLine(findings), [findings])
  const texts = value.split('\n')

  const goTo = ({ line: found, column }: CodeFinding) => {
    const line = found ?? 1
    const el = area.current
    if (!el) return
    const at = texts.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0)
    el.focus()
    const end = at + (texts[line - 1]?.length ?? 0)
    el.setSelectionRange(Math.min(end, at + (column ?? 1) - 1), end)
    el.parentElement?.parentElement?.parentElement?.scrollTo({ top: Math.max(0, (line - 4) * 20) })
  }

  return (
    <div
      className={cn(
        'overflow-hidden rounded-sm border border-line-strong bg-surface shadow-card focus-within:border-accent focus-within:outline-1 focus-within:outline-accent',
        invalid && 'border-fail focus-within:border-fail focus-within:outline-fail',
      )}
    >
      <div className={cn('max-h-[60dvh] min-h-40 overflow-auto py-2', className)}>
        <div className="flex w-max min-w-full">
          <div className="sticky left-0 z-10 bg-surface font-mono leading-5" aria-hidden>
            {texts.map((_, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a line's number is what it is
              <div key={i} className="flex h-5 bg-inherit">
                <LineNumber line={i + 1} found={byLine.get(i + 1)} />
              </div>
            ))}
          </div>
          <div className="relative grow">
            <div className={TEXT} aria-hidden>
              {texts.map((text, i) => {
                const tokens = lines[i]
                // While the colours lag behind, the text itself never does.
                const fresh = tokens && tokens.reduce((sum, t) => sum + t.text.length, 0) === text.length
                return (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a line's number is what it is
                  <div key={i} className={cn('h-5', toneOf(byLine.get(i + 1)))}>
                    {fresh ? <CodeTokens tokens={tokens} /> : text || '\n'}
                  </div>
                )
              })}
            </div>
            <textarea
              ref={area}
              id={id}
              value={value}
              onChange={(event) => onChange(event.target.value)}
              aria-label={label}
              aria-invalid={invalid}
              aria-describedby={describedBy}
              maxLength={maxLength}
              wrap="off"
              spellCheck={false}
              autoCapitalize="off"
              autoComplete="off"
              className={cn(
                TEXT,
                'absolute inset-0 size-full resize-none overflow-hidden bg-transparent text-transparent caret-ink outline-none',
              )}
            />
          </div>
        </div>
      </div>
      <Findings findings={findings} onGoTo={goTo} />
    </div>
  )
}

const toneOf = (found: CodeFinding[] | undefined) => found && (found.some((f) => f.severity === 'error') ? 'bg-fail-soft' : 'bg-busy-soft')

/** `line 2:5`, as compilers write it. */
const placeOf = ({ line, column }: CodeFinding) => (line === null ? 'file' : `line ${line}${column === null ? '' : `:${column}`}`)

function Findings({ findings, onGoTo }: { findings: CodeFinding[]; onGoTo: (finding: CodeFinding) => void }) {
  return (
    <div className="border-line border-t bg-sunken text-xs">
      <p role="status" className={cn('px-3 py-1.5 text-ink-2', findings.length > 0 && 'sr-only')}>
        {findings.length === 0 ? 'Nothing to improve.' : findings.length === 1 ? '1 finding' : `${findings.length} findings`}
      </p>
      {findings.length > 0 && (
        <ul className="max-h-40 divide-y divide-line overflow-auto">
          {findings.map((finding) => (
            <li key={`${finding.line}${finding.rule}${finding.message}`}>
              <button
                type="button"
                onClick={() => onGoTo(finding)}
                className="flex w-full gap-2 px-3 py-1.5 text-left text-ink-2 -outline-offset-2 hover:bg-hover"
              >
                <FindingIcon severity={finding.severity} className="mt-px" />
                <span className="num w-14 shrink-0 text-ink-3">{placeOf(finding)}</span>
                <FindingText finding={finding} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
