'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Button, Callout, CopyButton, Dialog, LinkButton, SkeletonRows, TimeAgo } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { useVirtualizer } from '@tanstack/react-virtual'
import { Download, FileQuestion, FolderSearch, ScanSearch } from 'lucide-react'
import { useMemo, useRef } from 'react'
import { useOutside } from '@/components/shell/outside-context'
import { readError } from '@/lib/errors'
import { modeText } from '@/lib/files'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { LayerChip } from './file-row'

const MAX_TEXT = 1024 * 1024
const LINE = 20

interface Props {
  org: string
  repository: string
  reference: string
  image: views.ImageView
  file: views.FileView | null
  onClose: () => void
  onReveal: (path: string) => void
}

/** One file: what it is, and what is in it when it is text. */
export function FileDialog(props: Props) {
  const { file, onClose } = props
  return (
    <Dialog open={file !== null} onOpenChange={(open) => !open && onClose()} title={file?.name ?? ''} wide>
      {file && <FileDetail {...props} file={file} />}
    </Dialog>
  )
}

function FileDetail({ org, repository, reference, image, file, onReveal }: Props & { file: views.FileView }) {
  const trpc = useTRPC()
  const outside = useOutside()
  const isShown = file.size <= MAX_TEXT
  const query = useQuery(
    trpc.files.text.queryOptions(
      { org, repository, reference, path: file.path, layer: file.layer },
      { enabled: isShown, retry: false, staleTime: Number.POSITIVE_INFINITY },
    ),
  )
  const path = `/${file.path}`
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-ink-2 text-sm">
        <span className="break-all font-mono text-[12.5px]">{path}</span>
        <span className="num">{file.hardLink ? 'second name of a file' : formatBytes(file.size)}</span>
        <span className="font-mono text-[12px]">{modeText(file)}</span>
        {file.modifiedAt && <TimeAgo at={file.modifiedAt} />}
        <LayerChip image={image} position={file.layer} />
      </div>
      <div className="flex flex-wrap gap-2">
        <Button
          size="s"
          icon={<Download aria-hidden />}
          onClick={() => window.location.assign(routes.imageFile(org, repository, reference, file.path, file.layer))}
        >
          Download
        </Button>
        <CopyButton size="s" text={path} label="Copy the path">
          Path
        </CopyButton>
        {!outside && (
          <LinkButton size="s" icon={<ScanSearch aria-hidden />} href={routes.whereUsed(org, { kind: 'file', q: path })}>
            Where used
          </LinkButton>
        )}
        {file.hiddenBy === null && (
          <Button size="s" variant="ghost" icon={<FolderSearch aria-hidden />} onClick={() => onReveal(file.path)}>
            Show in the tree
          </Button>
        )}
      </div>
      {!isShown ? (
        <Callout icon={<FileQuestion aria-hidden />}>Files of up to 1 MB are shown here. Download it to look at it.</Callout>
      ) : query.error ? (
        <Callout icon={<FileQuestion aria-hidden />}>{readError(query.error).message}</Callout>
      ) : query.data ? (
        <Text text={query.data.text} label={`Content of ${path}`} />
      ) : (
        <SkeletonRows rows={6} label="Reading the file" />
      )}
    </>
  )
}

/** Lines with their numbers; only those in sight are drawn. */
function Text({ text, label }: { text: string; label: string }) {
  const lines = useMemo(() => text.replace(/\n$/, '').split('\n'), [text])
  const box = useRef<HTMLElement>(null)
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => box.current, estimateSize: () => LINE, overscan: 20 })
  const longest = useMemo(() => lines.reduce((most, line) => Math.max(most, line.length), 0), [lines])
  if (text === '') return <Callout>The file is empty.</Callout>
  return (
    <section
      ref={box}
      tabIndex={0}
      aria-label={label}
      className="max-h-[46vh] overflow-auto rounded-md border border-line bg-sunken py-2 font-mono text-[12.5px] -outline-offset-2"
    >
      <div className="relative" style={{ height: virtual.getTotalSize(), width: `max(100%, ${Math.min(longest, 20_000) + 10}ch)` }}>
        {virtual.getVirtualItems().map(({ index, start }) => (
          <div
            key={index}
            className="absolute left-0 flex w-full"
            style={{ height: LINE, lineHeight: `${LINE}px`, transform: `translateY(${start}px)` }}
          >
            <span className="num sticky left-0 w-14 shrink-0 select-none bg-sunken pr-3.5 text-right text-[11.5px] text-ink-3">
              {index + 1}
            </span>
            <span className="whitespace-pre">{(lines[index] ?? '').slice(0, 20_000)}</span>
          </div>
        ))}
      </div>
    </section>
  )
}
