'use client'
import type { views } from '@slipway/contracts'
import { Card, EmptyState, Input, LinkButton, PageHead, Segmented } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Plus, Rocket, Search } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import { Load } from '@/components/load'
import { ProjectCard } from '@/components/overview/project-card'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

type Filter = 'all' | 'live' | 'moving' | 'failed' | 'stopped'
const FILTERS: Record<Filter, (app: views.AppSummary) => boolean> = {
  all: () => true,
  live: (a) => a.state === 'live',
  moving: (a) => a.state === 'building' || a.state === 'deploying',
  failed: (a) => a.state === 'failed',
  stopped: (a) => a.state === 'stopped' || a.state === 'empty',
}
const LABELS: Record<Filter, string> = { all: 'All', live: 'Live', moving: 'In flight', failed: 'Failed', stopped: 'Not running' }

export function AllApps({ org }: { org: string }) {
  const trpc = useTRPC()
  const apps = useQuery(trpc.apps.list.queryOptions({ org }))
  const [text, setText] = useState('')
  const [filter, setFilter] = useState<Filter>('all')
  const words = useDeferredValue(text.trim().toLowerCase())
  return (
    <>
      <PageHead
        title="Apps"
        actions={
          <LinkButton href={routes.newApp(org)} variant="primary" icon={<Plus aria-hidden />}>
            New app
          </LinkButton>
        }
      />
      <Load query={apps} what="the apps">
        {(all) => {
          if (all.length === 0) return <NoApps org={org} />
          const shown = all.filter(
            (a) => FILTERS[filter](a) && `${a.name} ${a.slug} ${a.project.name} ${a.imageReference ?? ''}`.toLowerCase().includes(words),
          )
          return (
            <>
              <div className="flex flex-wrap items-center gap-3">
                <div className="relative w-full sm:w-72">
                  <Search className="absolute top-2 left-2.5 size-4 text-ink-3" aria-hidden />
                  <Input
                    aria-label="Search the apps"
                    placeholder="Search"
                    value={text}
                    onChange={(e) => setText(e.target.value)}
                    className="pl-8.5"
                  />
                </div>
                <div className="no-scrollbar max-w-full overflow-x-auto">
                  <Segmented
                    label="Filter by state"
                    value={filter}
                    onChange={setFilter}
                    segments={(Object.keys(FILTERS) as Filter[]).map((value) => ({ value, label: LABELS[value] }))}
                  />
                </div>
              </div>
              {shown.length === 0 && (
                <Card>
                  <EmptyState title="No app is like that">Change the search or the filter.</EmptyState>
                </Card>
              )}
              {byProject(shown).map((project) => (
                <ProjectCard key={project.slug} org={org} project={project} />
              ))}
            </>
          )
        }}
      </Load>
    </>
  )
}

function byProject(apps: views.AppSummary[]): Pick<views.ProjectView, 'name' | 'slug' | 'apps'>[] {
  const projects = new Map<string, { name: string; slug: string; apps: views.AppSummary[] }>()
  for (const app of apps) {
    const project = projects.get(app.project.slug) ?? { ...app.project, apps: [] }
    project.apps.push(app)
    projects.set(app.project.slug, project)
  }
  return [...projects.values()].sort((a, b) => a.name.localeCompare(b.name))
}

function NoApps({ org }: { org: string }) {
  return (
    <Card>
      <EmptyState
        icon={<Rocket aria-hidden />}
        title="No app yet"
        actions={
          <>
            <LinkButton href={routes.newApp(org)} variant="primary" icon={<Plus aria-hidden />}>
              New app
            </LinkButton>
            <LinkButton href={routes.newApp(org, { source: 'example' })}>Deploy an example</LinkButton>
          </>
        }
      >
        An app is a repository or an image with an address. Slipway keeps it running.
      </EmptyState>
    </Card>
  )
}
