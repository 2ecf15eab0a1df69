import { Fragment, type ReactNode, useMemo } from 'react'
import { cn } from '../cn'
import { CodeTokens, FindingIcon, FindingText, findingsByLine } from './code-line'
import type { CodeFinding, CodeToken } from './types'

/**
 * A file to read: line numbers, findings beneath the line they are about, and on the right of a line what `notes` says of it.
 * `failed` is the line at which something broke. Lines have ids (`<id>-L12`), so that a link can lead to one.
 */
export function CodeView({
  id,
  lines,
  label,
  findings = [],
  notes,
  failed = null,
  className,
}: {
  id: string
  lines: CodeToken[][]
  label: string
  findings?: CodeFinding[]
  notes?: Map<number, ReactNode>
  failed?: number | null
  className?: string
}) {
  const byLine = useMemo(() => findingsByLine(findings), [findings])
  return (
    <section
      tabIndex={0}
      aria-label={label}
      className={cn('@container overflow-auto py-2 font-mono text-[12.5px] leading-5 -outline-offset-2', className)}
    >
      <div className="w-max min-w-full">
        {lines.map((tokens, i) => {
          const line = i + 1
          const found = byLine.get(line)
          return (
            <Fragment key={line}>
              <div
                id={`${id}-L${line}`}
                className={cn(
                  'flex min-w-full scroll-mt-16 pr-4',
                  line === failed
                    ? 'bg-fail-soft'
                    : found
                      ? worst(found) === 'error'
                        ? 'bg-fail-soft'
                        : 'bg-busy-soft'
                      : 'hover:bg-hover',
                )}
              >
                <LineNumber line={line} found={found} />
                <span className="whitespace-pre">
                  <CodeTokens tokens={tokens} />
                </span>
                {notes?.has(line) && <span className="num ml-auto shrink-0 pl-8 text-[11.5px]">{notes.get(line)}</span>}
              </div>
              {found?.map((finding) => (
                <p
                  key={`${finding.rule}${finding.message}`}
                  className="sticky left-0 flex w-[100cqw] gap-2 border-line border-b bg-surface py-1.5 pr-4 pl-14 font-sans text-ink-2 text-xs"
                >
                  <FindingIcon severity={finding.severity} className="mt-px" />
                  <FindingText finding={finding} column />
                </p>
              ))}
            </Fragment>
          )
        })}
      </div>
    </section>
  )
}

const worst = (found: CodeFinding[]) => (found.some((f) => f.severity === 'error') ? 'error' : 'warning')

export function LineNumber({ line, found }: { line: number; found: CodeFinding[] | undefined }) {
  return (
    <span className="num sticky left-0 flex w-14 shrink-0 select-none items-center justify-end gap-1.5 bg-inherit pr-3.5 text-[11.5px] text-ink-3">
      {found && <FindingIcon severity={worst(found)} className="size-3" />}
      {line}
    </span>
  )
}
