'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, ConfirmDialog, Table, Td, Th, TimeAgo, Tr, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { InlineError, Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'

/** Git servers over SSH, and the key that each answered with the first time: another one is refused. */
export function KnownHosts({ org, role }: { org: string; role: views.Role }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const query = useQuery(trpc.organizations.knownHosts.queryOptions({ org }))
  const [leaving, setLeaving] = useState<views.KnownHostView | null>(null)
  const forget = useMutation(
    trpc.organizations.forgetKnownHost.mutationOptions({
      meta: { quiet: true },
      onSuccess: (hosts) => {
        client.setQueryData(trpc.organizations.knownHosts.queryKey({ org }), hosts)
        setLeaving(null)
        toast('Host forgotten', { description: 'The next build takes the key that it answers with.' })
      },
    }),
  )
  const may = role === 'owner' || role === 'admin'
  return (
    <Card id="known-hosts">
      <CardHeader title="Known SSH hosts" />
      <Load query={query} what="the known hosts">
        {(hosts) =>
          hosts.length === 0 ? (
            <p className="px-4 py-5 text-ink-2 text-sm">
              None yet. A Git server’s host key is kept from the first build that reads from it over SSH; another key is refused from then
              on.
            </p>
          ) : (
            <Table>
              <thead>
                <tr>
                  <Th>Host</Th>
                  <Th right optional className="w-32">
                    Since
                  </Th>
                  {may && (
                    <Th right className="w-24">
                      <span className="sr-only">Forget</span>
                    </Th>
                  )}
                </tr>
              </thead>
              <tbody>
                {hosts.map((host) => (
                  <Tr key={host.id}>
                    <Td className="max-w-0">
                      <p className="truncate font-mono text-xs leading-5">{host.host}</p>
                      {/* To be compared with what the server's owner tells: all of it. */}
                      <p className="break-words font-mono text-ink-3 text-xs leading-5">
                        {host.keyType} <span className="break-all">{host.fingerprint}</span>
                      </p>
                    </Td>
                    <Td right optional className="text-ink-2">
                      <TimeAgo at={host.createdAt} />
                    </Td>
                    {may && (
                      <Td right>
                        <Button size="s" variant="ghost" onClick={() => setLeaving(host)}>
                          Forget
                        </Button>
                      </Td>
                    )}
                  </Tr>
                ))}
              </tbody>
            </Table>
          )
        }
      </Load>
      <ConfirmDialog
        open={leaving !== null}
        onOpenChange={(open) => !open && setLeaving(null)}
        title={`Forget ${leaving?.host ?? 'the host'}?`}
        action="Forget it"
        pending={forget.isPending}
        error={<InlineError error={forget.error} />}
        onConfirm={() => leaving && forget.mutate({ org, id: leaving.id })}
      >
        The next build trusts whatever key this host answers with. Do this only when its owner says that the key was changed.
      </ConfirmDialog>
    </Card>
  )
}
