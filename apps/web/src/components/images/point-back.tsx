'use client'
import type { views } from '@slipway/contracts'
import { shortDigest } from '@slipway/core'
import { ConfirmDialog, TimeAgo, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'

/** Asks before a tag goes back to an earlier version, which is what a push of that version would do. */
export function PointBack({
  org,
  repository,
  tag,
  now,
  asked,
  onClose,
}: {
  org: string
  repository: string
  tag: string
  /** Digest that the tag names; null: it is not there. */
  now: string | null
  asked: { move: views.TagMoveView; version: { digest: string } } | null
  onClose: () => void
}) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const point = useMutation(
    trpc.images.pointTag.mutationOptions({
      meta: { quiet: true },
      onSuccess: (_, { digest }) => {
        toast(`${tag} names ${shortDigest(digest)} again`)
        void client.invalidateQueries(trpc.images.pathFilter())
        onClose()
      },
    }),
  )
  const mono = (digest: string) => <span className="font-mono text-ink text-xs">{shortDigest(digest)}</span>
  return (
    <ConfirmDialog
      open={asked !== null}
      onOpenChange={(open) => {
        if (!open) onClose()
        point.reset()
      }}
      title="Point the tag back"
      action="Point back"
      danger={false}
      pending={point.isPending}
      error={<InlineError error={point.error} />}
      onConfirm={() => asked && point.mutate({ org, repository, tag, digest: asked.version.digest })}
    >
      {asked && (
        <div className="grid gap-2">
          <p className="break-words">
            <span className="font-medium text-ink">{tag}</span> will name {mono(asked.version.digest)} again, as it did{' '}
            <TimeAgo at={asked.move.at} />
            {now === null ? '. It names nothing now.' : <>, in place of {mono(now)}.</>}
          </p>
          <p>This is a push of that image: apps that follow the tag deploy it, and webhooks and replication are told.</p>
        </div>
      )}
    </ConfirmDialog>
  )
}
