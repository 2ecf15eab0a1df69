'use client'
import { Card, LinkTabs, Skeleton, SkeletonRows } from '@slipway/ui'
import { usePathname } from 'next/navigation'
import type { ReactNode } from 'react'
import { Load } from '@/components/load'
import { routes } from '@/lib/routes'
import { useApp, useAppWatch } from '@/lib/use-app'
import { AppHead } from './app-head'

/** Head and tabs of an app; its pages share one live answer. */
export function AppFrame({ org, app, children }: { org: string; app: string; children: ReactNode }) {
  const query = useApp(org, app)
  const pathname = usePathname()
  useAppWatch(org, app)
  return (
    <Load page query={query} what="this app" skeleton={<AppSkeleton />} back={{ href: routes.apps(org), label: 'All apps' }}>
      {(view) => (
        <>
          <AppHead org={org} app={view} />
          <LinkTabs
            label="App"
            active={pathname}
            tabs={[
              { label: 'Overview', href: routes.app(org, app) },
              { label: 'Deployments', href: routes.appTab(org, app, 'deployments') },
              ...(view.source !== 'image' ? [{ label: 'Builds', href: routes.appTab(org, app, 'builds') }] : []),
              { label: 'Logs', href: routes.appTab(org, app, 'logs') },
              { label: 'Variables', href: routes.appTab(org, app, 'variables') },
              { label: 'Settings', href: routes.appTab(org, app, 'settings') },
            ]}
          />
          {children}
        </>
      )}
    </Load>
  )
}

function AppSkeleton() {
  return (
    <>
      <Skeleton className="my-1 h-6 w-44" />
      <Skeleton className="h-9 w-full max-w-md" />
      <Card>
        <SkeletonRows rows={5} label="Loading this app" />
      </Card>
    </>
  )
}
