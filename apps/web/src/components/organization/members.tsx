'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, Menu, MenuItem, Select, Table, Td, Th, TimeAgo, Tr, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Ellipsis, LogOut, UserMinus, UserPlus } from 'lucide-react'
import { useState } from 'react'
import { memberRoles, ROLE_TEXT } from '@/components/access/roles'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { AddMember } from './add-member'
import { Invitations } from './invitations'
import { LeaveOrganization, RemoveMember } from './remove-member'

export function MembersPage({ org }: { org: string }) {
  const query = useQuery(useTRPC().organizations.get.queryOptions({ org }))
  return (
    <Load query={query} what="the organization" card>
      {(organization) => <Members org={org} role={organization.role} />}
    </Load>
  )
}

function Members({ org, role }: { org: string; role: views.Role }) {
  const trpc = useTRPC()
  const me = useQuery(trpc.me.get.queryOptions())
  const query = useQuery(trpc.organizations.members.queryOptions({ org }))
  const [adding, setAdding] = useState(false)
  const [removing, setRemoving] = useState<views.MemberView | null>(null)
  const [leaving, setLeaving] = useState(false)
  const may = role === 'owner' || role === 'admin'
  return (
    <>
      <Card>
        <CardHeader
          title="Members"
          aside={
            may && (
              <Button size="s" icon={<UserPlus aria-hidden />} onClick={() => setAdding(true)}>
                Add a member
              </Button>
            )
          }
        />
        <Load query={query} what="the members">
          {(members) => (
            <Table>
              <thead>
                <tr>
                  <Th>Name</Th>
                  <Th className="w-40">Role</Th>
                  <Th right optional className="w-32">
                    Joined
                  </Th>
                  <Th className="w-14">
                    <span className="sr-only">More</span>
                  </Th>
                </tr>
              </thead>
              <tbody>
                {members.map((m) => {
                  const self = m.email === me.data?.email
                  // Admins manage everybody but those above them.
                  const manages = may && (m.role !== 'owner' || role === 'owner')
                  return (
                    <Tr key={m.id}>
                      <Td className="max-w-0">
                        <p className="line-clamp-2 break-words font-medium md:line-clamp-1">
                          {m.name}
                          {self && <span className="font-normal text-ink-3"> · you</span>}
                        </p>
                        <p className="truncate text-ink-3 text-xs leading-5">{m.email}</p>
                      </Td>
                      <Td>{manages ? <RoleOf org={org} member={m} mine={role} /> : ROLE_TEXT[m.role].label}</Td>
                      <Td right optional className="text-ink-2">
                        <TimeAgo at={m.joinedAt} />
                      </Td>
                      <Td right>
                        {(self || manages) && (
                          <Menu
                            trigger={
                              <Button size="icon-s" variant="ghost" aria-label={`More of ${m.name}`}>
                                <Ellipsis aria-hidden />
                              </Button>
                            }
                          >
                            {self ? (
                              <MenuItem icon={<LogOut aria-hidden />} danger onSelect={() => setLeaving(true)}>
                                Leave the organization
                              </MenuItem>
                            ) : (
                              <MenuItem icon={<UserMinus aria-hidden />} danger onSelect={() => setRemoving(m)}>
                                Remove
                              </MenuItem>
                            )}
                          </Menu>
                        )}
                      </Td>
                    </Tr>
                  )
                })}
              </tbody>
            </Table>
          )}
        </Load>
      </Card>
      {may && <Invitations org={org} role={role} />}
      <AddMember org={org} role={role} open={adding} onOpenChange={setAdding} />
      <RemoveMember org={org} member={removing} onDone={() => setRemoving(null)} />
      <LeaveOrganization org={org} open={leaving} onOpenChange={setLeaving} />
    </>
  )
}

function RoleOf({ org, member, mine }: { org: string; member: views.MemberView; mine: views.Role }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const change = useMutation(
    trpc.members.setRole.mutationOptions({
      onSuccess: (changed) => {
        toast(`${changed.name} is ${changed.role} now`)
        void client.invalidateQueries(trpc.organizations.members.queryFilter({ org }))
        void client.invalidateQueries(trpc.organizations.get.queryFilter({ org }))
        void client.invalidateQueries(trpc.me.get.queryFilter())
      },
    }),
  )
  return (
    <Select
      aria-label={`Role of ${member.name}`}
      value={change.isPending ? (change.variables?.role ?? member.role) : member.role}
      options={memberRoles(mine)}
      disabled={change.isPending}
      onChange={(role) => role !== member.role && change.mutate({ org, id: member.id, role })}
    />
  )
}
