'use client'
import { Bar, ErrorState, Frame, LinkButton, Sheet } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { usePathname } from 'next/navigation'
import { type ReactNode, useState } from 'react'
import { crumbsOf } from '@/lib/crumbs'
import { readError } from '@/lib/errors'
import { useTRPC } from '@/lib/trpc'
import { AccountMenu } from './account-menu'
import { OrganizationMenu } from './organization-menu'
import { Palette } from './palette'
import { Places } from './places'
import { useOrganizationWatch } from './use-organization-watch'

/** The frame of every page of an organization. */
export function Shell({ org, children }: { org: string; children: ReactNode }) {
  const trpc = useTRPC()
  const pathname = usePathname()
  const [finding, setFinding] = useState(false)
  const [menu, setMenu] = useState(false)
  const me = useQuery(trpc.me.get.queryOptions(undefined, { staleTime: 60_000 }))
  const organization = useQuery(trpc.organizations.get.queryOptions({ org }))
  useOrganizationWatch(org)

  const name = organization.data?.name ?? me.data?.organizations.find((o) => o.slug === org)?.name ?? org
  const places = (onNavigate?: () => void) => (
    <>
      <OrganizationMenu org={org} name={name} me={me.data} />
      <nav aria-label="Places" className="flex flex-1 flex-col gap-0.5">
        <Places org={org} pathname={pathname} counts={organization.data?.counts} {...(onNavigate ? { onNavigate } : {})} />
      </nav>
      <AccountMenu org={org} me={me.data} />
    </>
  )
  const gone = organization.error && !organization.data ? readError(organization.error) : null
  return (
    <>
      <Frame rail={places()} bar={<Bar crumbs={crumbsOf(pathname, name)} onFind={() => setFinding(true)} onMenu={() => setMenu(true)} />}>
        {gone ? (
          <ErrorState
            page
            title="This organization cannot be shown"
            code={gone.code}
            message={gone.message}
            actions={
              <LinkButton href="/" variant="primary">
                Go to your organization
              </LinkButton>
            }
          />
        ) : (
          children
        )}
      </Frame>
      <Sheet open={menu} onOpenChange={setMenu} label="Menu">
        {places(() => setMenu(false))}
      </Sheet>
      <Palette org={org} open={finding} onOpenChange={setFinding} />
    </>
  )
}
