'use client'
import { slugify } from '@slipway/core'
import { type ControlProps, Input, Select } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTRPC } from '@/lib/trpc'

const NEW = '+'

/** An existing project, or the name of one to be made with the app. */
export interface ProjectChoice {
  slug: string
  newName: string | null
}

/** The projects, the first one chosen; where there is none yet, the name of the first. */
export function useProjectChoice(org: string) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const projects = useQuery(trpc.projects.list.queryOptions({ org }))
  const [chosen, setChosen] = useState<ProjectChoice | null>(null)
  const first = projects.data?.[0]
  const choice: ProjectChoice =
    chosen ?? (first ? { slug: first.slug, newName: null } : { slug: '', newName: projects.data ? 'Default' : null })
  const create = useMutation(trpc.projects.create.mutationOptions({ meta: { quiet: true } }))
  /** The slug to put the app into; makes the project first where it is new. */
  const resolve = async (): Promise<string> => {
    if (choice.newName === null) return choice.slug
    const { slug } = await create.mutateAsync({ org, name: choice.newName })
    setChosen({ slug, newName: null })
    await client.invalidateQueries(trpc.projects.list.queryFilter({ org }))
    return slug
  }
  const ready = projects.data !== undefined
  return {
    choice,
    setChoice: setChosen,
    projects: projects.data ?? [],
    resolve,
    ready,
    creating: create.isPending,
    error: create.error ?? projects.error,
  }
}

export function ProjectPicker({ control, state }: { control: ControlProps; state: ReturnType<typeof useProjectChoice> }) {
  const { choice, setChoice, projects } = state
  return (
    <div className="flex gap-2">
      {projects.length > 0 && (
        <Select
          {...control}
          value={choice.newName === null ? choice.slug : NEW}
          onChange={(value) => setChoice(value === NEW ? { slug: '', newName: '' } : { slug: value, newName: null })}
          options={[...projects.map((p) => ({ value: p.slug, label: p.name })), { value: NEW, label: 'New project…' }]}
        />
      )}
      {choice.newName !== null && (
        <Input
          {...(projects.length > 0 ? { 'aria-label': 'Name of the new project' } : control)}
          placeholder="Name of the new project"
          value={choice.newName}
          onChange={(e) => setChoice({ slug: slugify(e.target.value), newName: e.target.value })}
        />
      )}
    </div>
  )
}
