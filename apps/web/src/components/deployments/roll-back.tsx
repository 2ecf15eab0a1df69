'use client'
import type { views } from '@slipway/contracts'
import { shortDigest } from '@slipway/core'
import { Callout, ConfirmDialog } from '@slipway/ui'
import { useMutation } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { useState } from 'react'
import { InlineError } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { changeOf } from './deployment-rows'

/** Asks, then brings an earlier version back with the settings and variables it had. */
export function useRollBack(org: string, app: string) {
  const trpc = useTRPC()
  const router = useRouter()
  const [target, setTarget] = useState<views.DeploymentView | null>(null)
  const rollback = useMutation(
    trpc.deployments.rollback.mutationOptions({
      meta: { quiet: true },
      onSuccess: ({ number }) => {
        setTarget(null)
        router.push(routes.deployment(org, app, number))
      },
    }),
  )
  const dialog = (
    <ConfirmDialog
      open={target !== null}
      onOpenChange={(open) => {
        if (open) return
        setTarget(null)
        rollback.reset()
      }}
      title={`Roll back to #${target?.number ?? ''}`}
      action="Roll back"
      danger={false}
      pending={rollback.isPending}
      error={<InlineError error={rollback.error} />}
      onConfirm={() => target && rollback.mutate({ org, app, number: target.number })}
    >
      {target && (
        <div className="grid gap-2">
          <p>
            “{changeOf(target)}” starts next to what serves now and replaces it once it is healthy. It comes with the settings and variables
            it had then.
          </p>
          {target.imageGone && (
            <Callout tone="busy">
              Its image is no longer in the registry. This works only if the host still has a copy; otherwise what serves now goes on.
            </Callout>
          )}
          {target.image && <p className="font-mono text-xs">{shortDigest(target.image.digest)}</p>}
        </div>
      )}
    </ConfirmDialog>
  )
  return { ask: setTarget, dialog }
}
