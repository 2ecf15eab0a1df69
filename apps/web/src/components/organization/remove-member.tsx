'use client'
import type { views } from '@slipway/contracts'
import { ConfirmDialog, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'

const WHEN = 'The panel refuses them at once, docker within five minutes.'

export function RemoveMember({ org, member, onDone }: { org: string; member: views.MemberView | null; onDone: () => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const remove = useMutation(
    trpc.members.remove.mutationOptions({
      meta: { quiet: true },
      onSuccess: (gone) => {
        onDone()
        toast(`${gone.name} is no member any more`)
        void client.invalidateQueries(trpc.organizations.members.queryFilter({ org }))
        void client.invalidateQueries(trpc.teams.list.queryFilter({ org }))
      },
    }),
  )
  return (
    <ConfirmDialog
      open={member !== null}
      onOpenChange={(open) => {
        if (open) return
        onDone()
        remove.reset()
      }}
      title={`Remove ${member?.name ?? ''}`}
      action="Remove"
      pending={remove.isPending}
      error={<InlineError error={remove.error} />}
      onConfirm={() => member && remove.mutate({ org, id: member.id })}
    >
      Their place in teams and their own roles on repositories and projects go as well. What they pushed and deployed stays. {WHEN}
    </ConfirmDialog>
  )
}

export function LeaveOrganization({ org, open, onOpenChange }: { org: string; open: boolean; onOpenChange: (open: boolean) => void }) {
  const trpc = useTRPC()
  const leave = useMutation(
    trpc.members.leave.mutationOptions({
      meta: { quiet: true },
      // A whole load: nothing of the organization stays in memory.
      onSuccess: () => window.location.assign('/'),
    }),
  )
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => {
        onOpenChange(next)
        if (!next) leave.reset()
      }}
      title={`Leave ${org}`}
      action="Leave"
      pending={leave.isPending}
      error={<InlineError error={leave.error} />}
      onConfirm={() => leave.mutate({ org })}
    >
      Your place in its teams and your roles on its repositories and projects go as well. Only a member can bring you back.
    </ConfirmDialog>
  )
}
