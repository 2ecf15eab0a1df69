'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Card, CardHeader, RowLink, Table, Td, TimeAgo, Tr } from '@slipway/ui'
import { routes } from '@/lib/routes'

export function LargestCard({ org, largest }: { org: string; largest: views.StorageView['largest'] }) {
  return (
    <Card>
      <CardHeader title="Largest images" />
      <Table>
        <tbody>
          {largest.map((image) => (
            <Tr key={`${image.repository}@${image.digest}`} interactive>
              <Td className="max-w-0">
                <RowLink href={routes.image(org, image.repository, image.tag)} className="block truncate font-medium">
                  {image.repository}:{image.tag}
                </RowLink>
                <p className="text-ink-3 text-xs">
                  pushed <TimeAgo at={image.pushedAt} />
                </p>
              </Td>
              <Td right className="w-24">
                {formatBytes(image.size)}
              </Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}
