'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { type BarLayer, cn, Tooltip } from '@slipway/ui'
import { ChevronRight, Cpu, File, FileSymlink, Folder, FolderOpen, Link2 } from 'lucide-react'
import type { ReactNode } from 'react'
import { modeText } from '@/lib/files'
import { barLayers, instructionOf } from '@/lib/layers'

export const ROW = 30
const COLUMNS =
  'grid grid-cols-[minmax(0,1fr)_72px_44px] md:grid-cols-[minmax(0,1fr)_88px_104px_92px_56px] items-center gap-x-3 px-4 md:gap-x-6'
const FILLS: Record<BarLayer['kind'], string> = { base: 'bg-line-strong', shared: 'bg-cached', own: 'bg-run' }

export function FileHead() {
  return (
    <div aria-hidden className={cn(COLUMNS, 'border-line border-y py-1.5 font-medium text-ink-3 text-xs')}>
      <span>Name</span>
      <span className="text-right">Size</span>
      <span className="hidden md:block">Mode</span>
      <span className="hidden md:block">Owner</span>
      <span className="text-right">Layer</span>
    </div>
  )
}

/** What is told of one file, in the columns of the head. */
export function FileCells({
  file,
  image,
  expanded,
  depth = 0,
  name = file.name,
  children,
}: {
  file: views.FileView
  image: views.ImageView
  expanded?: boolean
  depth?: number
  name?: string
  children?: ReactNode
}) {
  const isHidden = file.hiddenBy !== null
  return (
    <div className={cn(COLUMNS, 'h-full text-sm')}>
      <span className="flex min-w-0 items-center gap-1.5" style={{ paddingLeft: `min(${depth * 18}px, 40vw)` }}>
        {expanded !== undefined && (
          <ChevronRight
            aria-hidden
            className={cn(
              'size-3.5 shrink-0 text-ink-3 transition-transform duration-120',
              expanded && 'rotate-90',
              file.kind !== 'directory' && 'invisible',
            )}
          />
        )}
        <KindIcon file={file} expanded={expanded === true} />
        <span className={cn('truncate', isHidden && 'text-ink-3 line-through')} title={`/${file.path}`}>
          {name}
        </span>
        {file.link && (
          <span className="min-w-0 truncate text-ink-3" title={file.link}>
            {file.hardLink ? '= /' : '→ '}
            {file.link}
          </span>
        )}
        {isHidden && <span className="shrink-0 text-ink-3 text-xs">hidden by layer {(file.hiddenBy ?? 0) + 1}</span>}
        {children}
      </span>
      <span className="num text-right text-ink-2">{file.kind === 'file' || file.kind === 'directory' ? formatBytes(file.size) : '–'}</span>
      <span className="hidden font-mono text-[12px] text-ink-2 md:block">{modeText(file)}</span>
      <span className="num hidden truncate text-ink-2 md:block">{file.uid === null ? '–' : `${file.uid}:${file.gid}`}</span>
      <span className="text-right">
        <LayerChip image={image} position={file.layer} />
      </span>
    </div>
  )
}

/** A layer by its number, in the colour that the bar gives it. */
export function LayerChip({ image, position }: { image: views.ImageView; position: number }) {
  const layer = image.layers.find((one) => one.position === position)
  const kind = barLayers(image.layers).find((one) => one.id === String(position))?.kind ?? 'own'
  return (
    <Tooltip content={<span className="line-clamp-3 break-all font-mono">{layer ? instructionOf(layer) : 'not recorded'}</span>}>
      <span className="num inline-flex items-center gap-1 rounded-[5px] border border-line bg-sunken px-1.5 text-xs leading-[18px]">
        <span aria-hidden className={cn('size-2 rounded-[2px]', FILLS[kind])} />
        <span className="sr-only">Layer </span>
        {position + 1}
      </span>
    </Tooltip>
  )
}

function KindIcon({ file, expanded }: { file: views.FileView; expanded: boolean }) {
  const Icon =
    file.kind === 'directory'
      ? expanded
        ? FolderOpen
        : Folder
      : file.kind === 'symlink'
        ? FileSymlink
        : file.kind === 'file'
          ? file.hardLink
            ? Link2
            : File
          : Cpu
  return <Icon aria-hidden className={cn('size-4 shrink-0', file.kind === 'directory' ? 'text-accent' : 'text-ink-3')} />
}
