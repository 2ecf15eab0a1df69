'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Callout, Hash, Link, TimeAgo } from '@slipway/ui'
import { TriangleAlert } from 'lucide-react'
import { count } from '@/components/organization/build-cache-card'
import { routes } from '@/lib/routes'

/** Bytes that the disk lost or changed. Nobody gets them; a push brings them back. */
export function DamagedCard({ org, damaged }: { org: string; damaged: views.DamagedBlobView[] }) {
  return (
    <Callout tone="fail" icon={<TriangleAlert aria-hidden className="text-fail" />}>
      <p className="font-medium">
        {damaged.length === 1 ? 'A layer was found damaged' : `${damaged.length} layers were found damaged`} and taken out of service
      </p>
      <p className="mt-0.5 text-ink-2">Push or build the images again that have it: that puts the bytes back.</p>
      <ul className="mt-2 grid gap-1.5">
        {damaged.map((blob) => (
          <li key={blob.digest} className="flex flex-wrap items-center gap-x-2 gap-y-1 text-ink-2">
            <Hash copy={blob.digest} label="the digest">
              {shortDigest(blob.digest, 12)}
            </Hash>
            <span className="num">
              {formatBytes(blob.size)} · in {count(blob.images, 'image')} ·{' '}
              <Link href={routes.repository(org, blob.repository)} className="underline underline-offset-3 hover:text-ink">
                {blob.repository}
              </Link>{' '}
              · <TimeAgo at={blob.damagedAt} />
            </span>
          </li>
        ))}
      </ul>
    </Callout>
  )
}
