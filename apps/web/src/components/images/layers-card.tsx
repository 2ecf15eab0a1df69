'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Button, Card, CardHeader, cn, Hash, LayerBar, LayerHead, Table, Td, TimeAgo, Tr } from '@slipway/ui'
import { useState } from 'react'
import { barLayers, instructionOf } from '@/lib/layers'

/** The layers as a bar to scale over their table; selecting one in either leaves only it below. */
export function LayersCard({ image }: { image: views.ImageView }) {
  const [selected, setSelected] = useState<string | null>(null)
  const { layers } = image
  const shared = layers.filter((l) => l.sharedBy > 0).length
  const own = layers.filter((l) => l.sharedBy === 0).reduce((sum, l) => sum + l.size, 0)
  const shown = selected === null ? layers : layers.filter((l) => String(l.position) === selected)
  return (
    <Card>
      <CardHeader
        title={`${formatBytes(image.size)} in ${layers.length} ${layers.length === 1 ? 'layer' : 'layers'}`}
        aside={
          selected === null ? (
            `${shared > 0 ? `${shared} shared with other images · ` : ''}${formatBytes(own)} only this one`
          ) : (
            <Button size="s" variant="ghost" onClick={() => setSelected(null)}>
              Show all layers
            </Button>
          )
        }
      />
      <div className="px-4 pt-4 pb-3">
        <LayerBar layers={barLayers(layers)} selected={selected} onSelect={setSelected} />
      </div>
      <Table>
        <LayerHead first="Layer" between={['Also in']} />
        <tbody>
          {shown.map((layer) => (
            <Tr
              key={layer.position}
              className={cn('cursor-pointer transition-colors duration-120 hover:bg-sunken', selected !== null && 'bg-sunken')}
              onClick={() => setSelected(selected === null ? String(layer.position) : null)}
            >
              <Td>
                <Hash copy={layer.digest} label="the layer's digest">
                  {shortDigest(layer.digest, 8)}
                </Hash>
              </Td>
              <Td className="max-w-0">
                <span
                  className={cn(
                    'block font-mono text-[12.5px]',
                    selected === null ? 'truncate' : 'break-words',
                    !layer.createdBy && 'text-ink-3',
                  )}
                  title={instructionOf(layer)}
                >
                  {instructionOf(layer)}
                </span>
                {selected !== null && (
                  <span className="text-ink-3 text-xs">
                    {layer.mediaType}
                    {layer.madeAt && (
                      <>
                        {' · '}
                        <TimeAgo at={layer.madeAt} />
                      </>
                    )}
                  </span>
                )}
              </Td>
              <Td right optional className="text-ink-2">
                {holders(layer.sharedBy)}
              </Td>
              <Td right>{formatBytes(layer.size)}</Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}

/** Counted up to a thousand (`sharedBy`). */
const holders = (count: number) => (count === 0 ? '–' : count === 1 ? '1 image' : count >= 999 ? '1,000+ images' : `${count} images`)
