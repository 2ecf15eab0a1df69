'use client'
import { Bar, ErrorState, Frame, LinkButton, RailLink, Sheet } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Inbox } from 'lucide-react'
import { usePathname } from 'next/navigation'
import { type ReactNode, useState } from 'react'
import { Outside } from '@/components/access/outside'
import { crumbsOf } from '@/lib/crumbs'
import { readError } from '@/lib/errors'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { AccountMenu } from './account-menu'
import { MovedOr } from './moved-or'
import { OrganizationMenu } from './organization-menu'
import { OutsideContext } from './outside-context'
import { Palette } from './palette'
import { OutsidePlaces, Places } from './places'
import { useOrganizationWatch } from './use-organization-watch'

/** The frame of every page of an organization. */
export function Shell({ org, children }: { org: string; children: ReactNode }) {
  const trpc = useTRPC()
  const pathname = usePathname()
  const [finding, setFinding] = useState(false)
  const [menu, setMenu] = useState(false)
  const me = useQuery(trpc.me.get.queryOptions(undefined, { staleTime: 60_000 }))
  const organization = useQuery(trpc.organizations.get.queryOptions({ org }))
  // No member: perhaps something of it is shared with them.
  const unknown = organization.error && !organization.data ? readError(organization.error) : null
  const outside = useQuery(trpc.access.outside.queryOptions({ org }, { enabled: unknown?.status === 404, retry: false, staleTime: 60_000 }))
  useOrganizationWatch(org, !unknown)

  const name = organization.data?.name ?? me.data?.organizations.find((o) => o.slug === org)?.name ?? outside.data?.name ?? org
  const places = (onNavigate?: () => void) => (
    <>
      <OrganizationMenu org={org} name={name} me={me.data} />
      <nav aria-label="Places" className="flex flex-1 flex-col gap-0.5">
        {unknown ? (
          <>
            {outside.data && <OutsidePlaces view={outside.data} pathname={pathname} {...(onNavigate ? { onNavigate } : {})} />}
            <RailLink href={routes.shared} icon={<Inbox aria-hidden />} {...(onNavigate ? { onClick: onNavigate } : {})}>
              Shared with you
            </RailLink>
          </>
        ) : (
          <Places org={org} pathname={pathname} counts={organization.data?.counts} {...(onNavigate ? { onNavigate } : {})} />
        )}
      </nav>
      <AccountMenu org={org} me={me.data} />
    </>
  )
  const gone = unknown && !outside.data && !outside.isFetching ? unknown : null
  // Its own pages are there for who is no member; every other address shows what is shared.
  const shared = /^\/[^/]+\/(?:images|apps)\/./.test(pathname) ? children : outside.data && <Outside view={outside.data} />
  return (
    <>
      <Frame
        rail={places()}
        bar={<Bar crumbs={crumbsOf(pathname, name)} onFind={unknown ? undefined : () => setFinding(true)} onMenu={() => setMenu(true)} />}
      >
        {gone ? (
          <MovedOr pathname={pathname}>
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
          </MovedOr>
        ) : unknown ? (
          outside.data && <OutsideContext value={true}>{shared}</OutsideContext>
        ) : (
          children
        )}
      </Frame>
      <Sheet open={menu} onOpenChange={setMenu} label="Menu">
        {places(() => setMenu(false))}
      </Sheet>
      {!unknown && <Palette org={org} open={finding} onOpenChange={setFinding} />}
    </>
  )
}
