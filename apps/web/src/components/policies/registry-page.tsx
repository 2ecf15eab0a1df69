'use client'
import type { views } from '@slipway/contracts'
import { toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { QuotaCard } from './quota-card'
import { QuotasCard } from './quotas-card'
import { RetentionCard } from './retention-card'
import { RulesCard } from './rules-card'
import { RunsCard } from './runs-card'

/** While a run goes on. */
const RUNNING_MS = 2000

/** Settings of an organization's registry: limits, rules of tags, retention. */
export function RegistryPage({ org }: { org: string }) {
  const trpc = useTRPC()
  const organization = useQuery(trpc.organizations.get.queryOptions({ org }))
  const quota = useQuery(trpc.policies.quota.queryOptions({ org }))
  const role = organization.data?.role
  const may = role === 'owner' || role === 'admin'
  return (
    <>
      <QuotaCard org={org} />
      <Rules org={org} may={may} />
      {role && <Retention org={org} may={may} />}
      {quota.data?.maySet && <QuotasCard org={org} />}
    </>
  )
}

function Rules({ org, may }: { org: string; may: boolean }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const query = useQuery(trpc.policies.rules.queryOptions({ org }))
  const keep = (message: string) => ({
    meta: { quiet: true },
    onSuccess: (next: views.TagRuleView[]) => {
      client.setQueryData(trpc.policies.rules.queryKey({ org }), next)
      toast(message)
    },
  })
  const add = useMutation(trpc.policies.addRule.mutationOptions(keep('The rule is made')))
  const remove = useMutation(trpc.policies.removeRule.mutationOptions(keep('The rule is removed')))
  return (
    <Load query={query} what="the tag rules">
      {(rules) => (
        <RulesCard
          title="Tag rules"
          rules={rules}
          scope="organization"
          mayManage={may}
          empty="Every developer moves and deletes every tag. A rule keeps releases as they were pushed, or leaves some tags to owners and admins."
          actions={{
            add: (rule) => add.mutateAsync({ org, ...rule }),
            remove: (id) => remove.mutateAsync({ org, id }),
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
      )}
    </Load>
  )
}

function Retention({ org, may }: { org: string; may: boolean }) {
  const query = useQuery(
    useTRPC().policies.retention.queryOptions(
      { org },
      { refetchInterval: ({ state }) => (state.data?.runs.some((run) => run.finishedAt === null) ? RUNNING_MS : false) },
    ),
  )
  return (
    <Load query={query} what="the retention">
      {(view) => (
        <>
          <RetentionCard org={org} view={view} may={may} />
          <RunsCard org={org} runs={view.runs} />
        </>
      )}
    </Load>
  )
}
