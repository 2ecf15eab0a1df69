'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Button, Callout, cn, Dialog, ProgressBar } from '@slipway/ui'
import { ChevronRight } from 'lucide-react'
import type { ReactNode } from 'react'
import { InlineError, Load } from '@/components/load'
import type { DryRunProgress } from './use-dry-run'
import { goneText, KEPT_TEXT, plural } from './words'

type Preview = views.RetentionPreviewView

/** Exactly what a run would remove now, and why the rest stays; with `action` it is what somebody is about to do. */
export function DryRunDialog({
  open,
  title,
  query,
  action,
  onClose,
}: {
  open: boolean
  title: string
  query: {
    data: Preview | undefined
    error: unknown
    isFetching?: boolean
    refetch?: () => unknown
    /** Of an answer that comes in parts. */
    progress?: DryRunProgress | null
    whole: boolean
  }
  action?: {
    label: (preview: Preview) => string
    danger: (preview: Preview) => boolean
    pending: boolean
    error: unknown
    onConfirm: () => void
  }
  onClose: () => void
}) {
  const { progress, whole } = query
  const preview = whole ? query.data : undefined
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => !next && onClose()}
      title={title}
      wide
      footer={
        <>
          <Button onClick={onClose}>{action ? 'Cancel' : 'Close'}</Button>
          {action && (
            <Button
              variant={preview && action.danger(preview) ? 'danger' : 'primary'}
              disabled={!preview}
              pending={action.pending}
              onClick={action.onConfirm}
            >
              {preview ? action.label(preview) : 'Save'}
            </Button>
          )}
        </>
      }
    >
      <Load query={query} what="what would go">
        {(found) => (
          <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
            {progress && <Looking {...progress} whole={whole} />}
            <Found preview={found} whole={whole} grown={progress ?? null} />
          </div>
        )}
      </Load>
      {action && <InlineError error={action.error} />}
    </Dialog>
  )
}

export const removes = ({ tags, manifests }: Preview) => tags + manifests > 0

/** Keeps its place when all is there, so that nothing below it moves. */
function Looking({ looked, of, within, whole }: DryRunProgress & { whole: boolean }) {
  const part = within?.part ?? 0
  const percent = Math.floor(part * 100)
  const all = plural(of, 'repository', 'repositories')
  const text =
    of === 1
      ? whole
        ? 'What comes free is counted.'
        : `Counting what comes free: ${percent} % …`
      : whole
        ? `${all} looked at.`
        : `${looked.toLocaleString('en')} of ${all} looked at …`
  return (
    <div className="grid gap-1.5">
      <p className="num flex gap-x-1.5 whitespace-nowrap text-ink-2 text-sm" role="status">
        {text}
        {of > 1 && within && !whole && (
          <span className="min-w-0 truncate text-ink-3">
            {percent} % of {within.repository}
          </span>
        )}
      </p>
      <div className="h-1">
        {!whole && <ProgressBar label="Looked at" percent={of === 0 ? 0 : Math.min(100, ((looked + part) / of) * 100)} />}
      </div>
    </div>
  )
}

/** Without `whole` it is what was found so far; of one repository that is all but the bytes. `grown`: it came in parts. */
function Found({ preview, whole, grown }: { preview: Preview; whole: boolean; grown: DryRunProgress | null }) {
  const { tags, manifests, bytes, kept, rows, repositories, changed } = preview
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
      {removes(preview) ? (
        // Room for the longest numbers, so that those which grow move nothing below.
        <p className={cn('text-ink-2 text-sm', grown && 'min-h-[3lh] sm:min-h-0')}>
          <strong className="font-medium text-ink">{goneText(tags, manifests)}</strong> of {plural(changed, 'repository', 'repositories')}{' '}
          would go {whole || grown?.of === 1 ? 'now' : 'so far'}; <strong className="num font-medium text-ink">{formatBytes(bytes)}</strong>{' '}
          come free when the collector has run.
        </p>
      ) : (
        <p className="text-ink-2 text-sm">
          {whole
            ? repositories === 0
              ? 'No repository has these rules, so nothing goes.'
              : `Nothing would go now: ${repositories === 1 ? 'its' : 'their'} tags all stay.`
            : 'Nothing would go so far.'}
        </p>
      )}
      {kept.length > 0 && (
        <dl className="grid gap-1 rounded-md border border-line bg-sunken px-3.5 py-2.5 text-sm">
          {kept.map(({ because, tags: n }) => (
            <div key={because} className="flex gap-3">
              <dt className="num w-20 shrink-0 text-right text-ink-2">{plural(n, 'tag')}</dt>
              <dd className="min-w-0">{because === 'no-rule' ? 'stay: no rule is for tags' : `stay: ${KEPT_TEXT[because]}`}</dd>
            </div>
          ))}
        </dl>
      )}
      {changed > rows.length && <Callout>Of these repositories, the list shows the {rows.length} that free the most.</Callout>}
      {rows.length > 0 && (
        <ul className="grid gap-2">
          {rows.map((row) => (
            // Of many that come one after the other none is opened: it would close again with the next.
            <Row key={row.repository} row={row} open={rows.length === 1 && (!grown || grown.of === 1)} />
          ))}
        </ul>
      )}
    </div>
  )
}

function Row({ row, open }: { row: Preview['rows'][number]; open: boolean }) {
  const what = row.goes > 0 ? plural(row.goes, 'tag') : row.manifests > 0 ? plural(row.manifests, 'untagged image') : 'nothing'
  return (
    <li>
      <Unfold open={open} title={row.repository} aside={`${what} · ${formatBytes(row.bytes)}`}>
        <ul>
          {row.tags.map((tag) => (
            <li key={tag.name} className="flex flex-wrap items-baseline gap-x-3 border-line border-t px-3.5 py-1.5 text-sm">
              <span className={cn('min-w-0 max-w-full truncate font-medium', tag.kept === null && 'text-fail')} title={tag.name}>
                {tag.name}
              </span>
              <span className="font-mono text-ink-3 text-xs">{shortDigest(tag.digest)}</span>
              <span className={cn('ml-auto text-xs', tag.kept === null ? 'text-fail' : 'text-ink-3')}>
                {tag.kept === null ? 'goes: nothing keeps it' : `stays: ${KEPT_TEXT[tag.kept]}`}
              </span>
            </li>
          ))}
          {row.total > row.tags.length && (
            <li className="border-line border-t px-3.5 py-1.5 text-ink-3 text-xs">and {plural(row.total - row.tags.length, 'more tag')}</li>
          )}
        </ul>
      </Unfold>
    </li>
  )
}

/** A line that opens. */
export function Unfold({ title, aside, open, children }: { title: ReactNode; aside: ReactNode; open?: boolean; children: ReactNode }) {
  return (
    <details open={open} className="group overflow-hidden rounded-md border border-line">
      <summary className="flex list-none items-center gap-2 px-3 py-2 text-sm -outline-offset-2 hover:bg-sunken [&::-webkit-details-marker]:hidden">
        <ChevronRight className="size-3.5 shrink-0 text-ink-3 transition-transform duration-120 group-open:rotate-90" aria-hidden />
        <span className="min-w-0 flex-1 truncate font-medium">{title}</span>
        <span className="num shrink-0 text-ink-2 text-xs">{aside}</span>
      </summary>
      {children}
    </details>
  )
}
