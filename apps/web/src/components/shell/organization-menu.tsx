'use client'
import type { views } from '@slipway/contracts'
import { Mark, Menu, MenuItem, MenuLabel, MenuSeparator } from '@slipway/ui'
import { ChevronsUpDown, Inbox, Plus } from 'lucide-react'
import { routes } from '@/lib/routes'

/** Which organization this is, and the way to the others. */
export function OrganizationMenu({ org, name, me }: { org: string; name: string; me: views.MeView | undefined }) {
  return (
    <Menu
      align="start"
      trigger={
        <button
          type="button"
          aria-label={`Organization ${name}, switch`}
          className="mb-2 flex min-h-9 w-full items-center gap-2.5 rounded-sm px-2 py-1.5 text-left font-semibold transition-colors duration-120 hover:bg-hover"
        >
          <Mark />
          <span className="min-w-0 flex-1 truncate">{name}</span>
          <ChevronsUpDown className="size-4 shrink-0 text-ink-3" aria-hidden />
        </button>
      }
    >
      <MenuLabel>Organizations</MenuLabel>
      {me?.organizations.map((o) => (
        <MenuItem key={o.slug} href={routes.overview(o.slug)} checked={o.slug === org}>
          {o.name}
        </MenuItem>
      ))}
      <MenuSeparator />
      <MenuItem href={routes.shared} icon={<Inbox aria-hidden />}>
        Shared with you
      </MenuItem>
      <MenuItem href={routes.newOrganization} icon={<Plus aria-hidden />}>
        New organization
      </MenuItem>
    </Menu>
  )
}
