'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Card, CardHeader, Link, RowLink, Table, Td, Tr } from '@slipway/ui'
import { routes } from '@/lib/routes'

/** The images of an index, one per platform. */
export function PlatformsCard({ org, repository, image }: { org: string; repository: string; image: views.ImageView }) {
  return (
    <Card>
      <CardHeader title="Platforms" aside="an index: docker takes the one that fits" />
      <Table>
        <tbody>
          {image.children.map((child) => (
            <Tr key={child.digest} interactive>
              <Td>
                <RowLink href={routes.image(org, repository, child.digest)} className="font-medium">
                  {child.platform}
                </RowLink>
              </Td>
              <Td className="font-mono text-ink-3 text-xs">{shortDigest(child.digest)}</Td>
              <Td right>{child.size === null ? '–' : formatBytes(child.size)}</Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}

/** From one platform's image to the others', and to what they are together; the tab stays. */
export function PlatformSwitch({
  org,
  repository,
  reference,
  image,
  tab,
}: {
  org: string
  repository: string
  reference: string
  image: views.ImageView
  tab: string | null
}) {
  const platforms = image.index?.platforms ?? image.children
  if (platforms.length === 0) return null
  const to = (reference: string) => (tab ? routes.imageTab(org, repository, reference, tab) : routes.image(org, repository, reference))
  const all = { label: 'All platforms', href: to(image.index?.reference ?? reference) }
  const active = image.index ? to(image.digest) : all.href
  const links = [all, ...platforms.map(({ digest, platform }) => ({ label: platform, href: to(digest) }))]
  return (
    <nav aria-label="Platforms" className="no-scrollbar -mx-4 overflow-x-auto px-4 md:mx-0 md:px-0">
      <ul className="inline-flex min-w-max gap-0.5 rounded-md border border-line bg-sunken p-0.5">
        {links.map(({ label, href }) => (
          <li key={href}>
            <Link
              href={href}
              aria-current={href === active ? 'page' : undefined}
              className="inline-flex h-6.5 items-center rounded-[5px] px-2.5 font-medium text-ink-2 text-xs transition-colors duration-120 hover:text-ink aria-[current]:bg-surface aria-[current]:text-ink aria-[current]:shadow-[0_0_0_1px_var(--line-strong)]"
            >
              {label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  )
}
