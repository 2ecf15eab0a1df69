'use client'
import type { views } from '@slipway/contracts'
import { Button, Callout, Card, CardHeader, ConfirmDialog, Hash, Link, TimeAgo, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { X } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import type { RepositoryTabProps } from '@/components/images/repository-page'
import { InlineError, Load } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { DeleteRepositoryDialog } from './delete-repository-dialog'
import { RenameDialog } from './rename-dialog'
import type { PoliciesProps } from './repository-policies'
import { TransferDialog } from './transfer-dialog'

/** Tab of a repository: its name, whose it is, and the names that it had. */
export function RepositorySettings({ org, view }: RepositoryTabProps) {
  const query = useQuery(useTRPC().repositories.policies.queryOptions({ org, repository: view.name }))
  return (
    <Load query={query} what="the settings of this repository">
      {(policies) => (
        <>
          <NameCard org={org} view={view} policies={policies} />
          <OldNames org={org} repository={view.name} policies={policies} />
        </>
      )}
    </Load>
  )
}

function NameCard({ org, view, policies }: RepositoryTabProps & { policies: views.RepositoryPoliciesView }) {
  const trpc = useTRPC()
  const me = useQuery(trpc.me.get.queryOptions(undefined, { staleTime: 60_000 }))
  const [asked, setAsked] = useState<'rename' | 'transfer' | 'delete' | null>(null)
  const { builtBy, mayManage } = policies
  const manages = (role: views.Role) => role === 'owner' || role === 'admin'
  const here = me.data?.organizations.find(({ slug }) => slug === org)
  const others = (me.data?.organizations ?? []).filter(({ slug, role }) => slug !== org && manages(role))
  const mayGive = here !== undefined && manages(here.role)
  return (
    <Card aria-label="Name and owner">
      <CardHeader title="Name and owner" />
      {builtBy !== null && (
        <Callout className="mx-4 mt-4">
          The builds of the app{' '}
          <Link href={routes.app(org, builtBy)} className="underline underline-offset-3 hover:text-accent">
            {builtBy}
          </Link>{' '}
          go into this repository by its name, so it stays here, and keeps its name, as long as the app is there.
        </Callout>
      )}
      <Row
        title="Rename"
        text="The old name goes on leading here: for docker, for apps and for links to these pages, until a repository takes it."
      >
        <Button disabled={!mayManage || builtBy !== null} onClick={() => setAsked('rename')}>
          Rename
        </Button>
      </Row>
      <Row
        title="Give to another organization"
        text={
          mayGive && others.length === 0
            ? 'You must be owner or admin of the other organization as well, and there is no other where you are.'
            : 'With all tags, its README and its own rules. Roles that teams of this organization have on it end.'
        }
      >
        <Button variant="danger-quiet" disabled={!mayGive || others.length === 0 || builtBy !== null} onClick={() => setAsked('transfer')}>
          Give away
        </Button>
      </Row>
      <Row title="Delete" text="With all its images. Refused while an app runs one of them, or a rule keeps one of its tags.">
        <Button variant="danger-quiet" disabled={!mayManage || builtBy !== null} onClick={() => setAsked('delete')}>
          Delete
        </Button>
      </Row>
      {!mayManage && <p className="border-line border-t px-4 py-3 text-ink-3 text-xs">Owners and admins can change these.</p>}
      <RenameDialog org={org} repository={view.name} open={asked === 'rename'} onClose={() => setAsked(null)} />
      <TransferDialog org={org} view={view} to={others} open={asked === 'transfer'} onClose={() => setAsked(null)} />
      <DeleteRepositoryDialog org={org} view={view} open={asked === 'delete'} onClose={() => setAsked(null)} />
    </Card>
  )
}

function Row({ title, text, children }: { title: string; text: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-x-6 gap-y-2 border-line border-b px-4 py-3.5 last:border-b-0">
      <div className="min-w-0 flex-1 basis-72">
        <h3 className="font-medium text-sm">{title}</h3>
        <p className="break-words text-ink-2 text-sm">{text}</p>
      </div>
      {children}
    </div>
  )
}

function OldNames({ org, repository, policies }: PoliciesProps) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const [ending, setEnding] = useState<string | null>(null)
  const forget = useMutation(
    trpc.repositories.forgetName.mutationOptions({
      meta: { quiet: true },
      onSuccess: (next, { oldName }) => {
        client.setQueryData(trpc.repositories.policies.queryKey({ org, repository }), next)
        setEnding(null)
        toast(`${oldName} leads here no more`)
      },
    }),
  )
  if (policies.oldNames.length === 0) return null
  return (
    <Card aria-label="Old names">
      <CardHeader title="Old names" />
      <p className="border-line border-b px-4 py-3 text-ink-2 text-sm">
        These lead here, for pulls and pushes too, with the rights of the name of now.
      </p>
      <ul>
        {policies.oldNames.map(({ name, since }) => (
          <li key={name} className="flex min-h-11 items-center gap-3 border-line border-b px-4 py-2 text-sm last:border-b-0">
            <span className="min-w-0 flex-1 break-words font-mono text-xs">{name}</span>
            <TimeAgo at={since} className="num shrink-0 text-ink-3 text-xs" />
            {policies.mayManage && (
              <Button
                size="icon-s"
                variant="ghost"
                icon={<X aria-hidden />}
                aria-label={`End the old name ${name}`}
                onClick={() => setEnding(name)}
              />
            )}
          </li>
        ))}
      </ul>
      <ConfirmDialog
        open={ending !== null}
        onOpenChange={(open) => {
          if (open) return
          setEnding(null)
          forget.reset()
        }}
        title="End this old name"
        action="End it"
        pending={forget.isPending}
        error={<InlineError error={forget.error} />}
        onConfirm={() => ending !== null && forget.mutate({ org, repository, oldName: ending })}
      >
        Whoever still pulls <Hash>{ending ?? ''}</Hash> is refused from then on, and links with it lead nowhere.
      </ConfirmDialog>
    </Card>
  )
}
