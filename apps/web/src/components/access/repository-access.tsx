'use client'
import type { views } from '@slipway/contracts'
import { Card, CardHeader, KeyValue, Link, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Load } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { Grants, Holder } from './grants'
import { people, ROLE_TEXT } from './roles'
import { VisibilityCard } from './visibility-card'

/** Tab of a repository: who may look, pull and push here. */
export function RepositoryAccess({ org, view }: { org: string; view: views.RepositoryView }) {
  const trpc = useTRPC()
  const query = useQuery(trpc.access.repository.queryOptions({ org, repository: view.name }))
  return (
    <Load query={query} what="who may do what here" card>
      {(access) => <Access org={org} repository={view.name} access={access} />}
    </Load>
  )
}

function Access({ org, repository, access }: { org: string; repository: string; access: views.RepositoryAccessView }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const keep = (next: views.RepositoryAccessView) => client.setQueryData(trpc.access.repository.queryKey({ org, repository }), next)
  const give = useMutation(
    trpc.access.grantOnRepository.mutationOptions({
      onSuccess: (next) => {
        keep(next)
        toast('The role is given')
      },
      meta: { quiet: true },
    }),
  )
  const revoke = useMutation(
    trpc.access.revokeOnRepository.mutationOptions({
      onSuccess: (next) => {
        keep(next)
        toast('The role is taken away')
      },
      meta: { quiet: true },
    }),
  )
  const member = access.members !== null
  return (
    <>
      <VisibilityCard org={org} repository={repository} access={access} />
      {(member || access.mayManage) && (
        <Grants
          org={org}
          title="Roles on this repository"
          what="this repository"
          grants={access.grants}
          mayManage={access.mayManage}
          teams={member}
          actions={{
            give: (change) => give.mutateAsync({ org, repository, ...change }),
            revoke: (id) => revoke.mutateAsync({ org, repository, id }),
            pending: give.isPending || revoke.isPending,
            error: give.error ?? revoke.error,
            reset: () => {
              give.reset()
              revoke.reset()
            },
          }}
        />
      )}
      {access.project && access.project.grants.length > 0 && (
        <Card>
          <CardHeader
            title={`From the project ${access.project.name}`}
            aside={
              member && (
                <Link href={routes.settingsTab(org, 'teams')} className="underline underline-offset-3 hover:text-ink">
                  Change it
                </Link>
              )
            }
          />
          <ul>
            {access.project.grants.map((grant) => (
              <li key={grant.id} className="flex items-center gap-3 border-line border-b px-4 py-2.25 last:border-b-0">
                <div className="min-w-0 flex-1">
                  <Holder to={grant.to} />
                </div>
                <span className="text-sm">{ROLE_TEXT[grant.role].label}</span>
              </li>
            ))}
          </ul>
        </Card>
      )}
      <Card>
        <CardHeader title={member ? 'By role in the organization' : 'Your role here'} />
        <KeyValue
          items={[
            { key: 'You', value: ROLE_TEXT[access.role].label },
            ...(access.members ?? []).map(({ role, count }) => ({
              key: ROLE_TEXT[role].label,
              value: `${people(count)} · ${ROLE_TEXT[role].hint.toLowerCase()}`,
              wrap: true,
            })),
          ]}
        />
      </Card>
    </>
  )
}
