'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Button, Card, CardHeader, cn, Hash, LayerBar, LayerHead, Link, Segmented, Table, Td, TimeAgo, Tr } from '@slipway/ui'
import { useState } from 'react'
import { useOutside } from '@/components/shell/outside-context'
import { barLayers, instructionOf } from '@/lib/layers'
import { routes } from '@/lib/routes'
import { useFilesState } from './files/files-tab'

/** The layers as a bar to scale over their table; selecting one in either leaves only it below. */
export function LayersCard({ org, repository, image }: { org: string; repository: string; image: views.ImageView }) {
  const [by, setBy] = useState<'packed' | 'unpacked'>('packed')
  const unpacked = useUnpacked(org, repository, image)
  const outside = useOutside()
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
      {unpacked.size === layers.length && (
        <div className="px-4 pt-3">
          <Segmented
            label="What the bar shows"
            value={by}
            onChange={setBy}
            segments={[
              { value: 'packed', label: 'Compressed' },
              { value: 'unpacked', label: 'Unpacked' },
            ]}
          />
        </div>
      )}
      <div className="px-4 pt-4 pb-3">
        <LayerBar
          layers={barLayers(by === 'packed' ? layers : layers.map((l) => ({ ...l, size: unpacked.get(l.digest) ?? 0 })))}
          selected={selected}
          onSelect={setSelected}
        />
      </div>
      <Table>
        <LayerHead first="Layer" between={['Made', 'Also in', 'Unpacked']} />
        <tbody>
          {shown.map((layer) => (
            <Tr
              key={layer.position}
              className={cn('cursor-pointer transition-colors duration-120 hover:bg-sunken', selected !== null && 'bg-sunken')}
              onClick={() => setSelected(selected === null ? String(layer.position) : null)}
            >
              <Td optional className="whitespace-nowrap">
                <span className="num mr-2.5 inline-block w-4 text-ink-3 text-xs">{layer.position + 1}</span>
                <Hash copy={layer.digest} label="the layer's digest">
                  {shortDigest(layer.digest, 8)}
                </Hash>
              </Td>
              <Td className="max-w-0">
                <span
                  className={cn(
                    'block font-mono text-[12.5px]',
                    selected === null ? 'line-clamp-2 break-words md:line-clamp-1 md:break-all' : 'break-words',
                    !layer.createdBy && 'text-ink-3',
                  )}
                  title={instructionOf(layer)}
                >
                  {instructionOf(layer)}
                </span>
                {selected !== null && (
                  <span className="text-ink-3 text-xs">
                    {layer.mediaType}
                    {!outside && (
                      <>
                        {' · '}
                        <Link
                          className="relative z-10 text-accent hover:underline"
                          href={routes.whereUsed(org, { kind: 'layer', q: layer.digest })}
                          onClick={(event) => event.stopPropagation()}
                        >
                          Where used
                        </Link>
                      </>
                    )}
                  </span>
                )}
              </Td>
              <Td right optional className="text-ink-2">
                {layer.madeAt ? <TimeAgo at={layer.madeAt} /> : '–'}
              </Td>
              <Td right optional className="text-ink-2">
                {holders(layer.sharedBy)}
              </Td>
              <Td right optional className="text-ink-2">
                {unpacked.has(layer.digest) ? formatBytes(unpacked.get(layer.digest) ?? 0) : '–'}
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

/** Bytes of the files of each layer that is read. */
function useUnpacked(org: string, repository: string, image: views.ImageView): Map<string, number> {
  const { data } = useFilesState(org, repository, image.digest)
  return new Map(data?.layers.flatMap((layer) => (layer.bytes === null ? [] : [[layer.digest, layer.bytes] as const])))
}
