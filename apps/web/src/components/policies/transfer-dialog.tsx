'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Callout, ConfirmDialog, Field, Select, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { useState } from 'react'
import { InlineError } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { plural } from './words'

interface Props {
  org: string
  view: views.RepositoryView
  /** Organizations that it may go to. */
  to: { slug: string; name: string }[]
  open: boolean
  onClose: () => void
}

export function TransferDialog({ org, view, to, open, onClose }: Props) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const router = useRouter()
  const [chosen, setChosen] = useState('')
  const transfer = useMutation(
    trpc.repositories.transfer.mutationOptions({
      meta: { quiet: true },
      onSuccess: ({ org: next, name }) => {
        onClose()
        toast(`${name} belongs to ${next} now`, { description: `${org}/${name} leads there.` })
        router.replace(routes.repository(next, name))
        void client.invalidateQueries(trpc.images.repositories.queryFilter({ org }))
      },
    }),
  )
  const target = to.length === 1 ? (to[0]?.slug ?? '') : chosen
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => {
        if (next) return
        onClose()
        setChosen('')
        transfer.reset()
      }}
      title={`Give ${view.name} away`}
      action="Give away"
      typed={view.name}
      disabled={target === ''}
      pending={transfer.isPending}
      error={<InlineError error={transfer.error} />}
      onConfirm={() => transfer.mutate({ org, repository: view.name, to: target, confirm: view.name })}
    >
      <div className="grid gap-4">
        <Field label="To">
          {(c) => (
            <Select
              {...c}
              value={target}
              placeholder="Choose an organization"
              options={to.map(({ slug, name }) => ({ value: slug, label: name }))}
              onChange={setChosen}
            />
          )}
        </Field>
        <p>
          {plural(view.tags, 'tag')} and {formatBytes(view.size)} go there and count there. {org}/{view.name} leads on to it, with the
          rights of the new place.
        </p>
        <Callout tone="fail">
          Members of {org} who are not members there can no longer see, pull or push it
          {view.visibility === 'private' ? '' : `, but for what its visibility (${view.visibility}) allows`}.
        </Callout>
      </div>
    </ConfirmDialog>
  )
}
