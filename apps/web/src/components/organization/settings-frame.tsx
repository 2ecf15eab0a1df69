'use client'
import { LinkTabs, PageHead } from '@slipway/ui'
import { usePathname } from 'next/navigation'
import type { ReactNode } from 'react'
import { routes } from '@/lib/routes'
import { SETTINGS_TABS } from '@/lib/tabs'

/** Head and tabs of an organization's settings. */
export function SettingsFrame({ org, children }: { org: string; children: ReactNode }) {
  const tabs = SETTINGS_TABS.map(({ tab, label }) => ({ label, href: tab ? routes.settingsTab(org, tab) : routes.settings(org) }))
  return (
    <>
      <PageHead title="Settings" />
      <LinkTabs label="Settings" active={usePathname()} tabs={tabs} />
      {children}
    </>
  )
}
