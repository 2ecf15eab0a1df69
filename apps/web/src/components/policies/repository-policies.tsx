'use client'
import type { views } from '@slipway/contracts'
import { Link, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { RepositoryTabProps } from '@/components/images/repository-page'
import { Load } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { RepositoryRetention } from './repository-retention'
import { RulesCard } from './rules-card'

/** Tab of a repository: which of its tags stay, who may push which, and what goes by itself. */
export function RepositoryPolicies({ org, view }: RepositoryTabProps) {
  const query = useQuery(useTRPC().repositories.policies.queryOptions({ org, repository: view.name }))
  return (
    <Load query={query} what="the policies of this repository">
      {(policies) => (
        <>
          <Rules org={org} repository={view.name} policies={policies} />
          <RepositoryRetention org={org} repository={view.name} policies={policies} />
        </>
      )}
    </Load>
  )
}

export interface PoliciesProps {
  org: string
  repository: string
  policies: views.RepositoryPoliciesView
}

function Rules({ org, repository, policies }: PoliciesProps) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const keep = (message: string) => ({
    meta: { quiet: true },
    onSuccess: (next: views.RepositoryPoliciesView) => {
      client.setQueryData(trpc.repositories.policies.queryKey({ org, repository }), next)
      toast(message)
    },
  })
  const add = useMutation(trpc.repositories.addRule.mutationOptions(keep('The rule is made')))
  const remove = useMutation(trpc.repositories.removeRule.mutationOptions(keep('The rule is removed')))
  return (
    <RulesCard
      title="Tag rules"
      rules={policies.rules}
      inherited={{
        rules: policies.inherited,
        where: (
          <>
            From{' '}
            <Link href={routes.settingsTab(org, 'registry')} className="underline underline-offset-3 hover:text-ink">
              the organization
            </Link>
          </>
        ),
      }}
      scope="repository"
      mayManage={policies.mayManage}
      empty="Whoever may push here moves and deletes every tag. A rule keeps releases as they were pushed, or leaves some tags to owners and admins."
      actions={{
        add: ({ kind, tags, builds }) => add.mutateAsync({ org, repository, kind, tags, builds }),
        remove: (id) => remove.mutateAsync({ org, repository, id }),
        adding: add.isPending,
        removing: remove.isPending,
        addError: add.error,
        removeError: remove.error,
        reset: () => {
          add.reset()
          remove.reset()
        },
      }}
    />
  )
}
