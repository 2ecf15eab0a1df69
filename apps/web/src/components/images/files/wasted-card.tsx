'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Card, CardHeader, Table, Td, Th, Tr } from '@slipway/ui'
import { instructionOf } from '@/lib/layers'
import { LayerChip } from './file-row'

const HOW: Record<views.WastedView['how'], string> = {
  removed: 'Removed',
  replaced: 'Replaced',
  same: 'Written again with the same content',
}

/** What every pull brings and no container sees. */
export function WastedCard({ image, total }: { image: views.ImageView; total: views.FileTotals }) {
  const share = total.bytes + total.wasted === 0 ? 0 : Math.round((100 * total.wasted) / (total.bytes + total.wasted))
  const stepOf = (position: number) => {
    const layer = image.layers.find((one) => one.position === position)
    return layer ? instructionOf(layer) : 'not recorded'
  }
  return (
    <Card>
      <CardHeader
        title="Wasted"
        aside={
          total.wasted === 0
            ? 'Nothing'
            : `${formatBytes(total.wasted)} in ${total.wastedFiles.toLocaleString('en')} ${total.wastedFiles === 1 ? 'file' : 'files'} · ${share} % of all bytes`
        }
      />
      {total.top.length === 0 ? (
        <p className="px-4 py-4 text-ink-2 text-sm">No layer hides bytes of a layer below it: everything that is pulled can be seen.</p>
      ) : (
        <Table>
          <thead>
            <tr>
              <Th>File</Th>
              <Th optional className="w-[38%]">
                Hidden by
              </Th>
              <Th right className="w-24">
                Size
              </Th>
            </tr>
          </thead>
          <tbody>
            {total.top.map((one) => (
              <Tr key={`${one.path} ${one.layer}`}>
                <Td className="max-w-0">
                  <span className="flex min-w-0 items-center gap-2">
                    <LayerChip image={image} position={one.layer} />
                    <span className="truncate font-mono text-[12.5px]" title={`/${one.path}`}>
                      /{one.path}
                    </span>
                  </span>
                  <span className="block truncate text-ink-3 text-xs md:hidden">
                    {HOW[one.how]} by layer {one.by + 1}
                  </span>
                </Td>
                <Td optional className="max-w-0">
                  <span className="flex min-w-0 items-center gap-2">
                    <LayerChip image={image} position={one.by} />
                    <span className="min-w-0">
                      <span className="block truncate font-mono text-[12.5px]" title={stepOf(one.by)}>
                        {stepOf(one.by)}
                      </span>
                      <span className="block truncate text-ink-3 text-xs">{HOW[one.how]}</span>
                    </span>
                  </span>
                </Td>
                <Td right>{formatBytes(one.bytes)}</Td>
              </Tr>
            ))}
          </tbody>
        </Table>
      )}
    </Card>
  )
}
