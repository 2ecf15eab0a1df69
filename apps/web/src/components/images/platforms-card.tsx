'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Card, CardHeader, LinkTabs, RowLink, Table, Td, Tr } from '@slipway/ui'
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

/** From one platform's image to the others', and to what they are together. */
export function PlatformTabs({
  org,
  repository,
  reference,
  image,
}: {
  org: string
  repository: string
  reference: string
  image: views.ImageView
}) {
  const platforms = image.index?.platforms ?? image.children
  if (platforms.length === 0) return null
  const to = (reference: string) => routes.image(org, repository, reference)
  const tabs = platforms.map(({ digest, platform }) => ({ label: platform, href: to(digest) }))
  const all = { label: 'All platforms', href: to(image.index?.reference ?? reference) }
  return <LinkTabs label="Platforms" tabs={[all, ...tabs]} active={image.index ? to(image.digest) : all.href} />
}
