'use client'
import type { views } from '@slipway/contracts'
import { Select, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Grants } from '@/components/access/grants'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'

/** Roles on a project: on its apps, and on the repositories that their builds push to. */
export function ProjectRoles({ org }: { org: string }) {
  const trpc = useTRPC()
  const projects = useQuery(trpc.projects.list.queryOptions({ org }))
  const [chosen, setChosen] = useState<string | null>(null)
  const slug = chosen ?? projects.data?.[0]?.slug ?? null
  const picker = projects.data && projects.data.length > 1 && slug && (
    <Select
      aria-label="Project"
      value={slug}
      options={projects.data.map((project) => ({ value: project.slug, label: project.name }))}
      onChange={setChosen}
      className="h-6.5 w-40 text-xs"
    />
  )
  return slug ? <RolesOf org={org} project={slug} picker={picker} /> : null
}

function RolesOf({ org, project, picker }: { org: string; project: string; picker: React.ReactNode }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const query = useQuery(trpc.access.project.queryOptions({ org, project }))
  const keep = (text: string) => (view: views.ProjectAccessView) => {
    client.setQueryData(trpc.access.project.queryKey({ org, project }), view)
    void client.invalidateQueries(trpc.teams.list.queryFilter({ org }))
    toast(text)
  }
  const give = useMutation(trpc.access.grantOnProject.mutationOptions({ meta: { quiet: true }, onSuccess: keep('The role is given') }))
  const revoke = useMutation(
    trpc.access.revokeOnProject.mutationOptions({ meta: { quiet: true }, onSuccess: keep('The role is taken away') }),
  )
  return (
    <Load query={query} what="the roles on this project" card>
      {(view) => (
        <Grants
          org={org}
          title={`Roles on the project ${view.name}`}
          what={`the project ${view.name}`}
          grants={view.grants}
          mayManage={view.mayManage}
          teams
          aside={picker}
          actions={{
            give: (change) => give.mutateAsync({ org, project, ...change }),
            revoke: (id) => revoke.mutateAsync({ org, project, id }),
            pending: give.isPending || revoke.isPending,
            error: give.error ?? revoke.error,
            reset: () => {
              give.reset()
              revoke.reset()
            },
          }}
        />
      )}
    </Load>
  )
}
