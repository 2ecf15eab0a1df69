'use client'
import { inputs, type views } from '@slipway/contracts'
import { Button, Card, CardHeader, Dialog, Field, Input, Select, Table, Td, Th, TimeAgo, Tr, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { UserPlus } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { InlineError, Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'

const ROLES: { value: views.Role; label: string }[] = [
  { value: 'owner', label: 'Owner' },
  { value: 'admin', label: 'Admin' },
  { value: 'developer', label: 'Developer' },
  { value: 'guest', label: 'Guest, reads only' },
]

export function MembersPage({ org }: { org: string }) {
  const query = useQuery(useTRPC().organizations.get.queryOptions({ org }))
  return (
    <Load query={query} what="the organization">
      {(organization) => <Members org={org} role={organization.role} />}
    </Load>
  )
}

function Members({ org, role }: { org: string; role: views.Role }) {
  const trpc = useTRPC()
  const query = useQuery(trpc.organizations.members.queryOptions({ org }))
  const [adding, setAdding] = useState(false)
  const may = role === 'owner' || role === 'admin'
  return (
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
                <Th>Role</Th>
                <Th right optional>
                  Joined
                </Th>
              </tr>
            </thead>
            <tbody>
              {members.map((m) => (
                <Tr key={m.id}>
                  <Td className="max-w-0">
                    <p className="truncate font-medium">{m.name}</p>
                    <p className="truncate text-ink-3 text-xs leading-5">{m.email}</p>
                  </Td>
                  <Td className="capitalize">{m.role}</Td>
                  <Td right optional className="text-ink-2">
                    <TimeAgo at={m.joinedAt} />
                  </Td>
                </Tr>
              ))}
            </tbody>
          </Table>
        )}
      </Load>
      <AddMember org={org} open={adding} onOpenChange={setAdding} />
    </Card>
  )
}

function AddMember({ org, open, onOpenChange }: { org: string; open: boolean; onOpenChange: (open: boolean) => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const form = useForm<{ email: string; role: views.Role }>({ email: '', role: 'developer' })
  const add = useMutation(
    trpc.organizations.addMember.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: (member) => {
        toast(`${member.name} is a member now`)
        form.reset({ email: '', role: 'developer' })
        onOpenChange(false)
        void client.invalidateQueries(trpc.organizations.members.queryFilter({ org }))
      },
    }),
  )
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const input = form.check(inputs.addMember, { org, ...form.values })
    if (input && !add.isPending) add.mutate(input)
  }
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Add a member" description="They need an account of this installation.">
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <Field label="E-mail" error={form.errors.email}>
          {(c) => <Input {...c} type="email" autoFocus value={form.values.email} onChange={(e) => form.set('email', e.target.value)} />}
        </Field>
        <Field label="Role" error={form.errors.role}>
          {(c) => <Select {...c} value={form.values.role} options={ROLES} onChange={(role) => form.set('role', role)} />}
        </Field>
        <InlineError error={add.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button type="submit" variant="primary" pending={add.isPending}>
            Add
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
