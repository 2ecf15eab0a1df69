'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Card, CardHeader, RowLink, TimeAgo } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { FileKey2, FileText, Package, Paperclip } from 'lucide-react'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { pusherName } from './made-by'

const KINDS: Record<views.AttachmentView['kind'], { label: string; Icon: typeof Package }> = {
  signature: { label: 'Signature', Icon: FileKey2 },
  sbom: { label: 'List of packages', Icon: Package },
  attestation: { label: 'Attestation', Icon: FileText },
  other: { label: 'Attachment', Icon: Paperclip },
}

/** Signatures, documents and whatever else clients attached to the image; no card where there is nothing. */
export function AttachedCard({ org, repository, reference }: { org: string; repository: string; reference: string }) {
  const trpc = useTRPC()
  const { data } = useQuery(trpc.images.attached.queryOptions({ org, repository, reference }, { staleTime: 60_000, meta: { quiet: true } }))
  if (!data || data.length === 0) return null
  return (
    <Card>
      <CardHeader title="Attached" aside={data.length} />
      <ul>
        {data.map((item) => {
          const { label, Icon } = KINDS[item.kind]
          return (
            <li key={item.digest} className="relative border-line border-b px-4 py-2.5 text-sm last:border-b-0 hover:bg-sunken">
              <div className="flex items-center gap-2">
                <Icon aria-hidden className="size-4 shrink-0 text-ink-3" />
                <RowLink href={routes.image(org, repository, item.digest)} className="truncate font-medium">
                  {label}
                </RowLink>
                <span className="num ml-auto whitespace-nowrap text-ink-2">{formatBytes(item.size)}</span>
              </div>
              <p className="truncate pl-6 font-mono text-ink-3 text-xs leading-5" title={item.type}>
                {item.type}
              </p>
              <p className="pl-6 text-ink-3 text-xs leading-5">
                <TimeAgo at={item.pushedAt} /> by {pusherName(item.pushedBy)}
              </p>
            </li>
          )
        })}
      </ul>
      {data.some((item) => item.kind === 'signature') && (
        <p className="border-line border-t px-4 py-2.5 text-ink-3 text-xs leading-5">
          Signatures are kept, not verified: a client with your public key does that when it pulls.
        </p>
      )}
    </Card>
  )
}
