'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, ConfirmDialog, Table, Td, Th, TimeAgo, Tr, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ROLE_TEXT } from '@/components/access/roles'
import { InlineError, Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'

const DAY_MS = 24 * 60 * 60_000
const daysLeft = (at: Date) => {
  const days = Math.ceil((at.getTime() - Date.now()) / DAY_MS)
  return days <= 1 ? 'within a day' : `in ${days} days`
}
const nameOf = ({ email, role }: views.InvitationView) => email ?? `the link for a ${role}`

/** Links that were made and not used yet; the links themselves are nowhere any more. */
export function Invitations({ org, role }: { org: string; role: views.Role }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const query = useQuery(trpc.invitations.list.queryOptions({ org }))
  const [revoking, setRevoking] = useState<views.InvitationView | null>(null)
  const revoke = useMutation(
    trpc.invitations.revoke.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => {
        setRevoking(null)
        toast('The invitation is withdrawn')
        void client.invalidateQueries(trpc.invitations.list.queryFilter({ org }))
      },
    }),
  )
  return (
    <Card>
      <CardHeader title="Open invitations" />
      <Load query={query} what="the invitations">
        {(invitations) =>
          invitations.length === 0 ? (
            <p className="px-4 py-5 text-ink-2 text-sm">None. “Add a member” makes a link that one person can use, within seven days.</p>
          ) : (
            <Table>
              <thead>
                <tr>
                  <Th>For</Th>
                  <Th className="w-28">Role</Th>
                  <Th optional className="w-60">
                    Made
                  </Th>
                  <Th right optional className="w-32">
                    Ends
                  </Th>
                  <Th className="w-24">
                    <span className="sr-only">Withdraw</span>
                  </Th>
                </tr>
              </thead>
              <tbody>
                {invitations.map((invitation) => (
                  <Tr key={invitation.id}>
                    <Td className="max-w-0">
                      <p className="line-clamp-2 break-words font-medium md:line-clamp-1">{invitation.email ?? 'Whoever has the link'}</p>
                      {invitation.team && <p className="truncate text-ink-3 text-xs leading-5">Joins the team {invitation.team.name}</p>}
                    </Td>
                    <Td>{ROLE_TEXT[invitation.role].label}</Td>
                    <Td optional className="max-w-60 truncate text-ink-2">
                      <TimeAgo at={invitation.createdAt} /> by {invitation.createdBy}
                    </Td>
                    <Td right optional className="text-ink-2">
                      {daysLeft(invitation.expiresAt)}
                    </Td>
                    <Td right>
                      {(invitation.role !== 'owner' || role === 'owner') && (
                        <Button
                          size="s"
                          variant="ghost"
                          onClick={() => setRevoking(invitation)}
                          aria-label={`Withdraw ${nameOf(invitation)}`}
                        >
                          Withdraw
                        </Button>
                      )}
                    </Td>
                  </Tr>
                ))}
              </tbody>
            </Table>
          )
        }
      </Load>
      <ConfirmDialog
        open={revoking !== null}
        onOpenChange={(open) => {
          if (open) return
          setRevoking(null)
          revoke.reset()
        }}
        title="Withdraw the invitation"
        action="Withdraw"
        pending={revoke.isPending}
        error={<InlineError error={revoke.error} />}
        onConfirm={() => revoking && revoke.mutate({ org, id: revoking.id })}
      >
        The link for {revoking?.email ?? `a ${revoking?.role ?? ''}`} opens nothing from now on.
      </ConfirmDialog>
    </Card>
  )
}
