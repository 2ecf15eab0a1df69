'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { ConfirmDialog, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { InlineError } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { plural } from './words'

interface Props {
  org: string
  view: views.RepositoryView
  open: boolean
  onClose: () => void
}

export function DeleteRepositoryDialog({ org, view, open, onClose }: Props) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const router = useRouter()
  const remove = useMutation(
    trpc.repositories.delete.mutationOptions({
      meta: { quiet: true },
      onSuccess: ({ name }) => {
        onClose()
        toast(`${name} is deleted`)
        router.replace(routes.images(org))
        void client.invalidateQueries(trpc.images.repositories.queryFilter({ org }))
      },
    }),
  )
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => {
        if (next) return
        onClose()
        remove.reset()
      }}
      title={`Delete ${view.name}`}
      action="Delete"
      typed={view.name}
      pending={remove.isPending}
      error={<InlineError error={remove.error} />}
      onConfirm={() => remove.mutate({ org, repository: view.name, confirm: view.name })}
    >
      <p>
        {plural(view.tags, 'tag')} with {formatBytes(view.size)} go, and with them its README, rules, roles and links. Whoever pulls it is
        refused. Layers that other repositories have stay there. This cannot be undone.
      </p>
    </ConfirmDialog>
  )
}
