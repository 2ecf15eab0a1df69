'use client'
import { inputs, type views } from '@slipway/contracts'
import { Button, Card, CardHeader, ConfirmDialog, Dialog, EmptyState, Field, Hash, Input, Link, Select, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Plus, Trash2, Users, X } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { ROLE_TEXT } from '@/components/access/roles'
import { InlineError, Load } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { ProjectRoles } from './project-roles'

export function TeamsPage({ org }: { org: string }) {
  const trpc = useTRPC()
  const organization = useQuery(trpc.organizations.get.queryOptions({ org }))
  const teams = useQuery(trpc.teams.list.queryOptions({ org }))
  const members = useQuery(trpc.organizations.members.queryOptions({ org }))
  const [making, setMaking] = useState(false)
  const [deleting, setDeleting] = useState<views.TeamView | null>(null)
  const role = organization.data?.role
  const may = role === 'owner' || role === 'admin'
  const make = (
    <Button size="s" icon={<Plus aria-hidden />} onClick={() => setMaking(true)}>
      New team
    </Button>
  )
  return (
    <>
      <Load query={teams} what="the teams" card>
        {(found) =>
          found.length === 0 ? (
            <Card>
              <EmptyState icon={<Users aria-hidden />} title="No team yet" actions={may && make}>
                A team is members by name. Give it a role on a repository or a project, and all of them have it.
              </EmptyState>
            </Card>
          ) : (
            <>
              {may && <div className="flex justify-end">{make}</div>}
              {found.map((team) => (
                <Team key={team.slug} org={org} team={team} members={members.data ?? []} may={may} onDelete={() => setDeleting(team)} />
              ))}
            </>
          )
        }
      </Load>
      <ProjectRoles org={org} />
      <NewTeam org={org} open={making} onOpenChange={setMaking} />
      <DeleteTeam org={org} team={deleting} onDone={() => setDeleting(null)} />
    </>
  )
}

function Team({
  org,
  team,
  members,
  may,
  onDelete,
}: {
  org: string
  team: views.TeamView
  members: views.MemberView[]
  may: boolean
  onDelete: () => void
}) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const done = {
    onSuccess: () => {
      void client.invalidateQueries(trpc.teams.list.queryFilter({ org }))
    },
  }
  const add = useMutation(trpc.teams.addMember.mutationOptions(done))
  const remove = useMutation(trpc.teams.removeMember.mutationOptions(done))
  const others = members.filter((m) => !team.members.some((t) => t.id === m.id))
  return (
    <Card aria-label={`Team ${team.name}`}>
      <CardHeader
        title={team.name}
        extra={<Hash>{team.slug}</Hash>}
        aside={
          may && (
            <Button size="icon-s" variant="ghost" onClick={onDelete} aria-label={`Delete the team ${team.name}`}>
              <Trash2 aria-hidden />
            </Button>
          )
        }
      />
      <div className="grid md:grid-cols-2">
        <section className="border-line border-b p-4 md:border-r md:border-b-0">
          <h3 className="mb-2 text-ink-3 text-xs">Members</h3>
          {team.members.length === 0 && <p className="mb-2 text-ink-2 text-sm">Nobody yet.</p>}
          <ul className="grid gap-1">
            {team.members.map((m) => (
              <li key={m.id} className="flex min-h-7 items-center gap-2 text-sm">
                <span className="min-w-0 flex-1 truncate">
                  {m.name} <span className="text-ink-3">{m.email}</span>
                </span>
                <span className="text-ink-2 text-xs">{ROLE_TEXT[m.role].label}</span>
                {may && (
                  <Button
                    size="icon-s"
                    variant="ghost"
                    disabled={remove.isPending}
                    onClick={() => remove.mutate({ org, team: team.slug, member: m.id })}
                    aria-label={`Take ${m.name} out of ${team.name}`}
                  >
                    <X aria-hidden />
                  </Button>
                )}
              </li>
            ))}
          </ul>
          {may && others.length > 0 && (
            <Select
              aria-label={`Add a member to ${team.name}`}
              value=""
              placeholder="Add a member"
              disabled={add.isPending}
              options={others.map((m) => ({ value: m.id, label: `${m.name} · ${m.email}`, text: m.name }))}
              onChange={(member) => add.mutate({ org, team: team.slug, member })}
              className="mt-2.5 max-w-72"
            />
          )}
        </section>
        <section className="p-4">
          <h3 className="mb-2 text-ink-3 text-xs">Roles</h3>
          {team.grants.length === 0 ? (
            <p className="text-ink-2 text-sm">None yet. Give one on a repository’s Access tab, or on a project below.</p>
          ) : (
            <ul className="grid gap-1">
              {team.grants.map(({ role, on }) => (
                <li key={`${on.kind}:${on.kind === 'repository' ? on.name : on.slug}`} className="flex min-h-7 items-center gap-2 text-sm">
                  <span className="min-w-0 flex-1 truncate">
                    {on.kind === 'repository' ? (
                      <Link href={routes.repositoryTab(org, on.name, 'access')} className="underline underline-offset-3 hover:text-accent">
                        {on.name}
                      </Link>
                    ) : (
                      <>
                        {on.name} <span className="text-ink-3">project</span>
                      </>
                    )}
                  </span>
                  <span className="text-ink-2 text-xs">{ROLE_TEXT[role].label}</span>
                </li>
              ))}
            </ul>
          )}
        </section>
      </div>
    </Card>
  )
}

function NewTeam({ org, open, onOpenChange }: { org: string; open: boolean; onOpenChange: (open: boolean) => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const form = useForm({ name: '' })
  const create = useMutation(
    trpc.teams.create.mutationOptions({
      meta: { quiet: true },
      onError: form.refuse,
      onSuccess: (team) => {
        toast(`${team.name} is made`)
        form.reset({ name: '' })
        onOpenChange(false)
        void client.invalidateQueries(trpc.teams.list.queryFilter({ org }))
      },
    }),
  )
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const input = form.check(inputs.createTeam, { org, ...form.values })
    if (input && !create.isPending) create.mutate(input)
  }
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        onOpenChange(next)
        if (!next) create.reset()
      }}
      title="New team"
    >
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <Field label="Name" error={form.errors.name}>
          {(c) => <Input {...c} autoFocus value={form.values.name} onChange={(e) => form.set('name', e.target.value)} />}
        </Field>
        <InlineError error={create.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button type="submit" variant="primary" pending={create.isPending}>
            Create
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function DeleteTeam({ org, team, onDone }: { org: string; team: views.TeamView | null; onDone: () => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const remove = useMutation(
    trpc.teams.delete.mutationOptions({
      meta: { quiet: true },
      onSuccess: (gone) => {
        onDone()
        toast(`${gone.name} is deleted`)
        void client.invalidateQueries(trpc.teams.list.queryFilter({ org }))
        void client.invalidateQueries(trpc.access.project.queryFilter({ org }))
      },
    }),
  )
  const grants = team?.grants.length ?? 0
  return (
    <ConfirmDialog
      open={team !== null}
      onOpenChange={(open) => {
        if (open) return
        onDone()
        remove.reset()
      }}
      title={`Delete the team ${team?.name ?? ''}`}
      action="Delete"
      pending={remove.isPending}
      error={<InlineError error={remove.error} />}
      onConfirm={() => team && remove.mutate({ org, team: team.slug })}
    >
      {grants === 0
        ? 'It has no role anywhere.'
        : `Its ${grants === 1 ? 'role' : `${grants} roles`} on repositories and projects go with it.`}{' '}
      Its members stay members of the organization.
    </ConfirmDialog>
  )
}
