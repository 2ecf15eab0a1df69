'use client'
import { Button, Input, Menu, MenuItem, Select } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Download, FileJson, FileSpreadsheet, Search } from 'lucide-react'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { type ActivityFilter, queryOf, TIMES } from './filter'
import { deedOf } from './sentence'

/** radix has no empty value. */
const ALL = 'all\0'
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

export function FilterBar({ org, filter, onChange }: { org: string; filter: ActivityFilter; onChange: (filter: ActivityFilter) => void }) {
  const facets = useQuery(useTRPC().organizations.auditFacets.queryOptions({ org })).data
  const set = <K extends keyof ActivityFilter>(key: K, value: ActivityFilter[K]) => onChange({ ...filter, [key]: value })
  // Different actions may be told in the same words (of an app and of its files); their names tell them apart.
  const actions = (facets?.actions ?? []).map((action) => ({ value: action, text: `${capital(deedOf({ action }))} · ${action}` }))
  return (
    <div className="flex flex-wrap items-center gap-2 border-line border-b p-2.5">
      <div className="relative min-w-40 flex-1 max-sm:basis-full">
        <Search className="absolute top-2 left-2.5 size-4 text-ink-3" aria-hidden />
        <Input
          aria-label="Search what it was done to"
          placeholder="App, image, member …"
          value={filter.query}
          maxLength={200}
          onChange={(e) => set('query', e.target.value)}
          className="pl-8.5"
        />
      </div>
      <Select
        aria-label="Who"
        className="w-40 max-sm:flex-1"
        value={filter.actor || ALL}
        options={[{ value: ALL, label: 'Anybody' }, ...(facets?.actors ?? []).map((actor) => ({ value: actor, label: actor }))]}
        onChange={(value) => set('actor', value === ALL ? '' : value)}
      />
      <Select
        aria-label="What"
        className="w-44 max-sm:flex-1"
        value={filter.action || ALL}
        options={[
          { value: ALL, label: 'Anything' },
          ...actions.map(({ value, text }) => ({ value, label: <span className="block max-w-72 truncate">{text}</span>, text })),
        ]}
        onChange={(value) => set('action', value === ALL ? '' : value)}
      />
      <Select aria-label="When" className="w-40 max-sm:flex-1" value={filter.time} options={TIMES} onChange={(time) => set('time', time)} />
      <Menu
        trigger={
          <Button icon={<Download aria-hidden />} className="max-sm:flex-1">
            Export
          </Button>
        }
      >
        <MenuItem
          icon={<FileSpreadsheet aria-hidden />}
          onSelect={() => window.location.assign(routes.activityExport(org, 'csv', queryOf(filter)))}
        >
          CSV, for a spreadsheet
        </MenuItem>
        <MenuItem
          icon={<FileJson aria-hidden />}
          onSelect={() => window.location.assign(routes.activityExport(org, 'ndjson', queryOf(filter)))}
        >
          NDJSON, for programs
        </MenuItem>
      </Menu>
      {filter.time === 'between' && (
        <div className="flex basis-full items-center gap-2 text-ink-2 text-sm">
          <Input
            type="date"
            aria-label="From"
            className="w-40"
            value={filter.from}
            max={filter.to || undefined}
            onChange={(e) => set('from', e.target.value)}
          />
          to
          <Input
            type="date"
            aria-label="To"
            className="w-40"
            value={filter.to}
            min={filter.from || undefined}
            onChange={(e) => set('to', e.target.value)}
          />
        </div>
      )}
    </div>
  )
}
