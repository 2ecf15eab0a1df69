'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Hash, StatusPill, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'

const FOUND: Record<string, string> = { read: 'by a pull', scrub: 'on the round', verify: 'by a check' }

/** Blobs that were damaged once: how it was noticed, where the bad bytes are, whether it was repaired. */
export function Damages({ damages }: { damages: views.InstallationStorageView['damages'] }) {
  return (
    <Table className="border-line border-t">
      <thead>
        <tr>
          <Th>Damaged blob</Th>
          <Th optional>Found</Th>
          <Th optional>Bad bytes kept as</Th>
          <Th className="w-28">State</Th>
        </tr>
      </thead>
      <tbody>
        {damages.map((one) => (
          <Tr key={one.id}>
            <Td>
              <Hash copy={one.digest} label="the digest">
                {shortDigest(one.digest, 8)}
              </Hash>
              <span className="num ml-2 text-ink-3 text-xs">{formatBytes(one.size)}</span>
            </Td>
            <Td optional className="text-ink-2">
              {FOUND[one.foundBy] ?? one.foundBy}, <TimeAgo at={one.foundAt} />
            </Td>
            <Td optional className="max-w-0">
              <span className="block truncate font-mono text-xs" title={one.keptAs ?? undefined}>
                {one.keptAs ?? <span className="text-ink-3">nothing was there</span>}
              </span>
            </Td>
            <Td>{one.repairedAt ? <StatusPill tone="live">Repaired</StatusPill> : <StatusPill tone="fail">Out of service</StatusPill>}</Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}
