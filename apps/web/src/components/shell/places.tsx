'use client'
import type { views } from '@slipway/contracts'
import { RailLink } from '@slipway/ui'
import { Activity, Hammer, HardDrive, Layers, LayoutDashboard, Rocket, Server, Settings } from 'lucide-react'
import { routes } from '@/lib/routes'

/** The places of an organization, with how much is in each. */
export function Places({
  org,
  pathname,
  counts,
  onNavigate,
}: {
  org: string
  pathname: string
  counts: views.OrganizationView['counts'] | undefined
  onNavigate?: () => void
}) {
  const at = (href: string) => pathname === href || pathname.startsWith(`${href}/`)
  const link = { ...(onNavigate ? { onClick: onNavigate } : {}) }
  return (
    <>
      <RailLink {...link} href={routes.overview(org)} icon={<LayoutDashboard aria-hidden />} active={pathname === routes.overview(org)}>
        Overview
      </RailLink>
      <RailLink {...link} href={routes.apps(org)} icon={<Rocket aria-hidden />} active={at(routes.apps(org))} count={counts?.apps}>
        Apps
      </RailLink>
      <RailLink
        {...link}
        href={routes.builds(org)}
        icon={<Hammer aria-hidden />}
        active={at(routes.builds(org))}
        count={counts?.activeBuilds}
        busy
      >
        Builds
      </RailLink>
      <RailLink
        {...link}
        href={routes.images(org)}
        icon={<Layers aria-hidden />}
        active={at(routes.images(org))}
        count={counts?.repositories}
      >
        Images
      </RailLink>
      <RailLink {...link} href={routes.storage(org)} icon={<HardDrive aria-hidden />} active={at(routes.storage(org))}>
        Storage
      </RailLink>
      <RailLink {...link} href={routes.hosts(org)} icon={<Server aria-hidden />} active={at(routes.hosts(org))} count={counts?.hosts}>
        Hosts
      </RailLink>
      <RailLink {...link} href={routes.activity(org)} icon={<Activity aria-hidden />} active={at(routes.activity(org))}>
        Activity
      </RailLink>
      <div className="mt-auto" />
      <RailLink {...link} href={routes.settings(org)} icon={<Settings aria-hidden />} active={at(routes.settings(org))}>
        Settings
      </RailLink>
    </>
  )
}

/** Of an organization that one is no member of. */
export function OutsidePlaces({ view, pathname, onNavigate }: { view: views.OutsideView; pathname: string; onNavigate?: () => void }) {
  const link = { ...(onNavigate ? { onClick: onNavigate } : {}) }
  return (
    <RailLink
      {...link}
      href={routes.overview(view.slug)}
      icon={<LayoutDashboard aria-hidden />}
      active={pathname === routes.overview(view.slug)}
      count={view.repositories.length + view.apps.length}
    >
      Overview
    </RailLink>
  )
}
