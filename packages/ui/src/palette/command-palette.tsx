'use client'
import { Command } from 'cmdk'
import { CornerDownLeft, Search } from 'lucide-react'
import { Dialog as Radix } from 'radix-ui'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { overlayStyle } from '../dialog'
import { Skeleton } from '../skeleton'

export interface PaletteItem {
  id: string
  label: string
  detail?: string
  icon?: ReactNode
  /** Words that find it besides its label. */
  keywords?: string[]
  run: () => void
}
export interface PaletteGroup {
  heading: string
  items: PaletteItem[]
  /** Found by the server already: not filtered again here. */
  found?: boolean
}

/** ⌘K: finds and runs everything. The caller filters what the server found; the rest is filtered by what is typed. */
export function CommandPalette({
  open,
  onOpenChange,
  query,
  onQuery,
  groups,
  loading,
}: {
  open: boolean
  onOpenChange: (open: boolean) => void
  query: string
  onQuery: (query: string) => void
  groups: PaletteGroup[]
  loading: boolean
}) {
  const shown = groups
    .map((group) => ({ ...group, items: group.found ? group.items : group.items.filter((item) => matches(item, query)) }))
    .filter((group) => group.items.length > 0)
  const [selected, setSelected] = useFirst(shown[0]?.items[0]?.id ?? '', query)
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className={overlayStyle} />
        <Radix.Content
          aria-describedby={undefined}
          className="fixed top-[14vh] left-1/2 z-50 w-[calc(100vw-32px)] max-w-[560px] -translate-x-1/2 animate-appear overflow-hidden rounded-lg bg-raised shadow-pop outline-none"
        >
          <Radix.Title className="sr-only">Find or run</Radix.Title>
          <Command shouldFilter={false} loop label="Find or run" value={selected} onValueChange={setSelected}>
            <div className="flex items-center gap-2.5 border-line border-b px-4">
              <Search className="size-4 shrink-0 text-ink-3" aria-hidden />
              <Command.Input
                value={query}
                onValueChange={onQuery}
                placeholder="Find an app, a build, an image, or run something"
                className="h-12 w-full bg-transparent text-base outline-none placeholder:text-ink-3"
              />
            </div>
            <Command.List className="max-h-[min(420px,52vh)] overflow-y-auto p-1.5">
              {shown.map((group) => (
                <Command.Group
                  key={group.heading}
                  heading={group.heading}
                  className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-ink-3 [&_[cmdk-group-heading]]:text-xs"
                >
                  {group.items.map((item) => (
                    <Command.Item
                      key={item.id}
                      value={item.id}
                      onSelect={() => {
                        onOpenChange(false)
                        item.run()
                      }}
                      className="group flex h-9 cursor-default select-none items-center gap-2.5 rounded-sm px-2.5 data-[selected=true]:bg-hover [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:text-ink-2"
                    >
                      {item.icon}
                      <span className="truncate">{item.label}</span>
                      {item.detail && <span className="ml-auto truncate pl-4 text-ink-3 text-xs">{item.detail}</span>}
                      <CornerDownLeft className="hidden size-3.5! group-data-[selected=true]:block" aria-hidden />
                    </Command.Item>
                  ))}
                </Command.Group>
              ))}
              {shown.length === 0 &&
                (loading ? (
                  <div className="grid gap-3 p-3">
                    <Skeleton className="w-56" />
                    <Skeleton className="w-40" />
                  </div>
                ) : (
                  <p className="px-3 py-8 text-center text-ink-2 text-sm">Nothing is called “{query}”.</p>
                ))}
            </Command.List>
          </Command>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}

/** The first item is the chosen one until a key or the pointer chose another; what arrives late does not push it down. */
function useFirst(first: string, query: string): [string, (id: string) => void] {
  const [selected, setSelected] = useState(first)
  const untouched = useRef(true)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another query starts anew
  useEffect(() => {
    untouched.current = true
  }, [query])
  useEffect(() => {
    if (untouched.current) setSelected(first)
  }, [first])
  return [
    selected,
    (id) => {
      untouched.current = id === first
      setSelected(id)
    },
  ]
}

/** Every typed word begins or is inside a word of the item. */
function matches(item: PaletteItem, query: string): boolean {
  const text = [item.label, item.detail, ...(item.keywords ?? [])].join(' ').toLowerCase()
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}
