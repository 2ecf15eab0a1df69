'use client'
import type { views } from '@slipway/contracts'
import { cn } from '@slipway/ui'
import { useQueries } from '@tanstack/react-query'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, useEffect, useId, useMemo, useRef } from 'react'
import { readError } from '@/lib/errors'
import { useTRPC } from '@/lib/trpc'
import { FileCells, ROW } from './file-row'

/** Entries of one directory that are asked for at once. */
const PAGE = 1000

interface Props {
  org: string
  repository: string
  reference: string
  image: views.ImageView
  hidden: boolean
  /** Open directories, and how many pages of each. */
  expanded: Map<string, number>
  setExpanded: (change: (old: Map<string, number>) => Map<string, number>) => void
  active: string | null
  setActive: (path: string) => void
  onOpen: (file: views.FileView) => void
  /** Somebody began to type. */
  onType: () => void
}

type FileRow = { key: string; depth: number; file: views.FileView }
type Row = FileRow | { key: string; depth: number; note: string; more?: string }

/** The files as a tree: only rows in sight are drawn, and only open directories are asked for. */
export function FileTree(props: Props) {
  const { image, expanded, setExpanded, active, setActive, onOpen, onType } = props
  const rows = useRows(props)
  const box = useRef<HTMLDivElement>(null)
  const id = useId()
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => ROW, overscan: 12 })
  const at = rows.findIndex((row) => 'file' in row && row.file.path === active)

  const sought = useRef<string | null>(null)
  useEffect(() => {
    if (active === null || at < 0 || sought.current === active) return
    sought.current = active
    virtual.scrollToIndex(at)
    box.current?.focus()
  }, [active, at, virtual])

  const toggle = (path: string, open: boolean) =>
    setExpanded((old) => {
      const next = new Map(old)
      if (open) next.set(path, old.get(path) ?? 1)
      else next.delete(path)
      return next
    })
  const more = (path: string) => setExpanded((old) => new Map([...old, [path, (old.get(path) ?? 1) + 1]]))
  const choose = (row: Row | undefined) => {
    if (!row || !('file' in row)) return
    sought.current = row.file.path
    setActive(row.file.path)
    virtual.scrollToIndex(rows.indexOf(row))
  }
  const press = (row: Row) => {
    if (!('file' in row)) return row.more !== undefined && more(row.more)
    choose(row)
    if (row.file.kind === 'directory') toggle(row.file.path, !expanded.has(row.file.path))
    else onOpen(row.file)
  }

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.metaKey || event.ctrlKey || event.altKey) return
    const row = rows[at]
    const file = row && 'file' in row ? row.file : null
    const files = rows.filter((one): one is FileRow => 'file' in one)
    const here = row && 'file' in row ? files.indexOf(row) : -1
    const step = (by: number) => choose(files[Math.min(files.length - 1, Math.max(0, here + by))])
    const keys: Record<string, () => void> = {
      ArrowDown: () => step(1),
      ArrowUp: () => step(row ? -1 : 1),
      PageDown: () => step(15),
      PageUp: () => step(-15),
      Home: () => choose(files[0]),
      End: () => choose(files.at(-1)),
      ArrowRight: () => {
        if (file?.kind !== 'directory') return
        if (expanded.has(file.path)) step(1)
        else toggle(file.path, true)
      },
      ArrowLeft: () => {
        if (file?.kind === 'directory' && expanded.has(file.path)) return toggle(file.path, false)
        const above = file?.path.slice(0, file.path.lastIndexOf('/'))
        choose(files.find((one) => one.file.path === above))
      },
      Enter: () => row && press(row),
    }
    const run = keys[event.key]
    if (run) {
      event.preventDefault()
      run()
    } else if (event.key.length === 1 && event.key !== ' ') onType()
  }

  return (
    <div
      ref={box}
      role="tree"
      aria-label="Files of the image"
      tabIndex={0}
      aria-activedescendant={at >= 0 ? `${id}${at}` : undefined}
      onKeyDown={onKeyDown}
      className="overflow-auto -outline-offset-2"
      style={{ height: Math.min(Math.max(virtual.getTotalSize(), 4 * ROW), 20 * ROW) }}
    >
      <div role="none" className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const row = rows[index] as Row
          const isOpen = 'file' in row && row.file.kind === 'directory' ? expanded.has(row.file.path) : undefined
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the focus and takes the keys
            <div
              key={row.key}
              id={`${id}${index}`}
              role="treeitem"
              tabIndex={-1}
              aria-level={row.depth + 1}
              aria-selected={index === at}
              aria-expanded={isOpen}
              onClick={() => press(row)}
              className={cn('absolute inset-x-0 cursor-pointer hover:bg-hover', index === at && 'bg-accent-soft')}
              style={{ height: ROW, transform: `translateY(${start}px)` }}
            >
              {'file' in row ? (
                <FileCells file={row.file} image={image} depth={row.depth} expanded={isOpen ?? false} />
              ) : (
                <span className="flex h-full items-center px-4 text-ink-3 text-sm" style={{ paddingLeft: 34 + row.depth * 18 }}>
                  {row.note}
                </span>
              )}
            </div>
          )
        })}
      </div>
    </div>
  )
}

/** Of its own, so that the same answers stay the same. */
const combine = (results: { data: views.FilePageView | undefined; error: unknown }[]) => results.map(({ data, error }) => ({ data, error }))

function useRows({ org, repository, reference, hidden, expanded }: Props): Row[] {
  const trpc = useTRPC()
  const asked = useMemo(
    () => [...expanded].flatMap(([path, pages]) => Array.from({ length: pages }, (_, page) => ({ path, page }))),
    [expanded],
  )
  const answers = useQueries({
    queries: asked.map(({ path, page }) =>
      trpc.files.list.queryOptions(
        { org, repository, reference, path, hidden, offset: page * PAGE, limit: PAGE },
        { staleTime: Number.POSITIVE_INFINITY, retry: false },
      ),
    ),
    combine,
  })
  return useMemo(() => {
    const pages = new Map<string, (typeof answers)[number][]>()
    for (const [index, { path }] of asked.entries()) {
      const answer = answers[index]
      if (answer) pages.set(path, [...(pages.get(path) ?? []), answer])
    }
    const rows: Row[] = []
    const add = (path: string, depth: number) => {
      const read = pages.get(path) ?? []
      for (const [number, { data, error }] of read.entries()) {
        if (error) rows.push({ key: `error ${path}`, depth, note: readError(error).message })
        else if (!data) rows.push({ key: `wait ${path} ${number}`, depth, note: 'Loading…' })
        for (const [index, file] of (data?.items ?? []).entries()) {
          rows.push({ key: `${number} ${index} ${file.path} ${file.layer} ${file.hiddenBy}`, depth, file })
          if (file.kind === 'directory' && expanded.has(file.path)) add(file.path, depth + 1)
        }
      }
      const last = read.at(-1)?.data
      if (last?.next) {
        const left = last.total - last.next
        rows.push({ key: `more ${path}`, depth, note: `Show more: ${left.toLocaleString('en')} left`, more: path })
      }
    }
    add('', 0)
    return rows
  }, [answers, asked, expanded])
}
