'use client'
import { cn } from '@slipway/ui'
import { Image as ImageIcon, Square, SquareCheck } from 'lucide-react'
import { createElement, Fragment, type ReactNode, useMemo } from 'react'
import { type MarkdownElement, type MarkdownNode, type MarkdownTag, parseMarkdown } from '@/lib/markdown'

/** The page has the first two: a README's own title is the third. */
const HEADING = {
  h1: { as: 'h3', style: 'font-semibold text-xl tracking-[-0.01em]' },
  h2: { as: 'h4', style: 'border-b border-line pb-1 font-semibold text-lg' },
  h3: { as: 'h5', style: 'font-semibold text-base' },
  h4: { as: 'h6', style: 'font-semibold text-sm' },
  h5: { as: 'h6', style: 'font-medium text-sm' },
  h6: { as: 'h6', style: 'font-medium text-ink-2 text-sm' },
} as const

const STYLES: Partial<Record<MarkdownTag, string>> = {
  ul: 'grid list-disc gap-1 pl-6',
  ol: 'grid list-decimal gap-1 pl-6',
  blockquote: 'grid gap-3 border-l-3 border-line-strong pl-4 text-ink-2',
  hr: 'border-line',
  code: 'rounded-[4px] bg-sunken px-1 py-px font-mono text-[0.9em] [overflow-wrap:anywhere]',
  strong: 'font-semibold',
  table: 'border-collapse text-sm',
}

/** A text of people, drawn. What may be in it is for `lib/markdown.ts` to say; nothing here takes HTML. */
export function Markdown({ source, className }: { source: string; className?: string }) {
  const nodes = useMemo(() => parseMarkdown(source), [source])
  return (
    <div className={cn('grid min-w-0 grid-cols-[minmax(0,1fr)] gap-3 break-words text-base leading-6', className)}>{drawAll(nodes)}</div>
  )
}

/** As children of their own, not as a list: nothing here is ever moved, so none needs a key. */
const drawAll = (nodes: readonly MarkdownNode[]): ReactNode => createElement(Fragment, null, ...nodes.map(draw))
const draw = (node: MarkdownNode): ReactNode => (typeof node === 'string' ? node : <Element node={node} />)

function Element({ node }: { node: MarkdownElement }) {
  const { tag, children, href, id, start, align, done } = node
  switch (tag) {
    case 'h1':
    case 'h2':
    case 'h3':
    case 'h4':
    case 'h5':
    case 'h6': {
      const { as: Heading, style } = HEADING[tag]
      return (
        <Heading id={id} className={cn('mt-2 scroll-mt-16 first:mt-0', style)}>
          {drawAll(children)}
        </Heading>
      )
    }
    case 'a':
      return (
        <a
          href={href}
          {...(href?.startsWith('#') ? {} : { target: '_blank', rel: 'noreferrer nofollow ugc' })}
          className="text-accent underline underline-offset-3 hover:text-accent-hover"
        >
          {drawAll(children)}
        </a>
      )
    case 'image':
      return (
        <a
          href={href}
          target="_blank"
          rel="noreferrer nofollow ugc"
          title="An image elsewhere: it is opened there, not loaded here"
          className="inline-flex max-w-full items-center gap-1 rounded-[5px] border border-line bg-sunken px-1.5 align-baseline text-ink-2 text-xs leading-[18px] hover:text-ink"
        >
          <ImageIcon className="size-3 shrink-0" aria-hidden />
          <span className="truncate">{drawAll(children)}</span>
        </a>
      )
    // What scrolls can be reached by the keyboard, and has a name.
    case 'pre':
      return (
        <section tabIndex={0} aria-label="Code" className="overflow-x-auto rounded-md border border-line bg-sunken">
          <pre className="w-max p-3 font-mono text-xs leading-5">{drawAll(children)}</pre>
        </section>
      )
    case 'table':
      return (
        <section tabIndex={0} aria-label="Table" className="overflow-x-auto">
          <table className={STYLES.table}>{drawAll(children)}</table>
        </section>
      )
    case 'th':
    case 'td': {
      const Cell = tag
      return (
        <Cell
          className={cn(
            'border border-line px-3 py-1.5 text-left',
            tag === 'th' && 'bg-sunken font-medium',
            align === 'right' && 'text-right',
            align === 'center' && 'text-center',
          )}
        >
          {drawAll(children)}
        </Cell>
      )
    }
    case 'li': {
      if (done === undefined) return <li>{drawAll(children)}</li>
      const Box = done ? SquareCheck : Square
      return (
        <li className="relative list-none">
          <Box
            className={cn('absolute top-1 -left-6 size-4', done ? 'text-accent' : 'text-ink-3')}
            role="img"
            aria-label={done ? 'Done' : 'To do'}
          />
          {drawAll(children)}
        </li>
      )
    }
    case 'hr':
      return <hr className={STYLES.hr} />
    case 'br':
      return <br />
    case 'ol':
      return (
        <ol start={start} className={STYLES.ol}>
          {drawAll(children)}
        </ol>
      )
    default: {
      const Plain = tag
      return <Plain className={STYLES[tag]}>{drawAll(children)}</Plain>
    }
  }
}
