'use client'
import type { views } from '@slipway/contracts'
import { shortDigest } from '@slipway/core'
import { Button, Card, ConfirmDialog, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { useState } from 'react'
import { InlineError } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

/** A tag goes alone; a digest goes with every tag on it. */
export function DeleteImage({
  org,
  repository,
  reference,
  image,
}: {
  org: string
  repository: string
  reference: string
  image: views.ImageView
}) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const router = useRouter()
  const [asking, setAsking] = useState(false)
  const byDigest = reference.startsWith('sha256:')
  const remove = useMutation(
    trpc.images.delete.mutationOptions({
      meta: { quiet: true },
      onSuccess: ({ tags, manifest }) => {
        toast(manifest ? `${shortDigest(manifest)} is deleted` : `The tag ${tags.join(', ')} is deleted`)
        void client.invalidateQueries(trpc.images.pathFilter())
        router.push(routes.repository(org, repository))
      },
    }),
  )
  return (
    <Card className="flex flex-wrap items-center gap-3 px-4 py-3">
      <p className="min-w-0 flex-1 text-ink-2 text-sm">
        {byDigest ? 'Removes the image and every tag on it.' : `Removes the tag ${reference}.`}
      </p>
      <Button variant="danger-quiet" onClick={() => setAsking(true)}>
        Delete
      </Button>
      <ConfirmDialog
        open={asking}
        onOpenChange={(open) => {
          setAsking(open)
          remove.reset()
        }}
        title={byDigest ? 'Delete this image' : `Delete the tag ${reference}`}
        action="Delete"
        pending={remove.isPending}
        error={<InlineError error={remove.error} />}
        onConfirm={() => remove.mutate({ org, repository, reference })}
      >
        {byDigest
          ? image.tags.length > 0
            ? `The tags ${image.tags.join(', ')} go with it. Layers that no other image holds are removed from the disk.`
            : 'Layers that no other image holds are removed from the disk.'
          : `The image ${shortDigest(image.digest)} stays reachable by its digest${image.tags.length > 1 ? ' and its other tags' : ''} until it is deleted too.`}
      </ConfirmDialog>
    </Card>
  )
}
