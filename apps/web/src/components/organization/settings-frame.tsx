'use client'
import { LinkTabs, PageHead } from '@slipway/ui'
import { usePathname } from 'next/navigation'
import type { ReactNode } from 'react'
import { routes } from '@/lib/routes'
import { SETTINGS_TABS } from '@/lib/tabs'

/** Head and tabs of an organization's settings. */
export function SettingsFrame({ org, children }: { org: string; children: ReactNode }) {
  const tabs = SETTINGS_TABS.map(({ tab, label }) => ({ label, href: tab ? routes.settingsTab(org, tab) : routes.settings(org) }))
  const pathname = usePathname()
  // Of a page beneath a tab, as `webhooks/<id>`, too.
  const active = tabs.findLast(({ href }) => pathname === href || pathname.startsWith(`${href}/`))?.href ?? pathname
  return (
    <>
      <PageHead title="Settings" />
      <LinkTabs label="Settings" active={active} tabs={tabs} />
      {children}
    </>
  )
}
