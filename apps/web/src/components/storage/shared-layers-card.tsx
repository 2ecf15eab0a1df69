'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Card, CardHeader, Hash, Link, Table, Td, Th, Tr } from '@slipway/ui'
import { count } from '@/components/organization/build-cache-card'
import { instructionOf } from '@/lib/layers'
import { routes } from '@/lib/routes'

/** Layers that several repositories have, those first that would cost most if they did not share them. */
export function SharedLayersCard({ org, layers }: { org: string; layers: views.SharedLayerView[] }) {
  return (
    <Card>
      <CardHeader title="Layers shared by most" aside="kept once" />
      <Table>
        <thead>
          <tr>
            <Th optional className="w-28">
              Layer
            </Th>
            <Th>Step</Th>
            <Th right optional className="w-36">
              In
            </Th>
            <Th right className="w-24">
              Size
            </Th>
          </tr>
        </thead>
        <tbody>
          {layers.map((layer) => (
            <Tr key={layer.digest}>
              <Td optional>
                <Hash copy={layer.digest} label="the layer's digest">
                  {shortDigest(layer.digest, 8)}
                </Hash>
              </Td>
              <Td className="max-w-0">
                <Link
                  href={routes.whereUsed(org, { kind: 'layer', q: layer.digest })}
                  className="block truncate font-mono text-[12.5px] hover:underline"
                  title={`${layer.step ? instructionOf({ createdBy: layer.step }) : `of ${layer.example}`}: where it is used`}
                >
                  {layer.step ? instructionOf({ createdBy: layer.step }) : <span className="text-ink-3">of {layer.example}</span>}
                </Link>
              </Td>
              <Td right optional className="text-ink-2">
                <span title={`${count(layer.repositories, 'repository', 'repositories')}, ${count(layer.images, 'image')}`}>
                  {count(layer.images, 'image')}
                </span>
              </Td>
              <Td right>{formatBytes(layer.size)}</Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}
