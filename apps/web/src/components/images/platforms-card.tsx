'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Card, CardHeader, RowLink, Table, Td, Tr } from '@slipway/ui'
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
