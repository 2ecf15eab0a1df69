'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, Columns, EmptyState, Skeleton, TimeAgo } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { BookOpenText, Pencil } from 'lucide-react'
import dynamic from 'next/dynamic'
import { useState } from 'react'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { FactsForm } from './facts-form'
import { Labels } from './labels'
import { ReadmeForm } from './readme-form'

/** With its parser: only for those who open this tab. */
export const LazyMarkdown = dynamic(() => import('./markdown').then((module) => module.Markdown), {
  loading: () => <Skeleton className="h-24 w-full" />,
})

/** Tab of a repository: what it is, in the words of those who make it; changed in place. */
export function RepositoryAbout({ org, view }: { org: string; view: views.RepositoryView }) {
  const query = useQuery(useTRPC().repositories.about.queryOptions({ org, repository: view.name }))
  return (
    <Load query={query} what="what this repository is about">
      {(about) => (
        <Columns aside={<Facts org={org} repository={view.name} about={about} />}>
          <Readme org={org} repository={view.name} about={about} />
        </Columns>
      )}
    </Load>
  )
}

export interface AboutProps {
  org: string
  repository: string
  about: views.RepositoryAboutView
}

function Readme({ org, repository, about }: AboutProps) {
  const [editing, setEditing] = useState(false)
  if (editing) return <ReadmeForm org={org} repository={repository} about={about} onDone={() => setEditing(false)} />
  const edit = (label: string) => (
    <Button size="s" icon={<Pencil aria-hidden />} onClick={() => setEditing(true)}>
      {label}
    </Button>
  )
  return (
    <Card aria-label="README">
      <CardHeader title="README" aside={about.mayChange && about.readme !== '' && edit('Edit')} />
      {about.readme.trim() === '' ? (
        <EmptyState icon={<BookOpenText aria-hidden />} title="No README" actions={about.mayChange && edit('Write one')}>
          What is in these images, how to run them, whom to ask. In Markdown.
        </EmptyState>
      ) : (
        <div className="p-4 sm:p-6">
          <LazyMarkdown source={about.readme} />
        </div>
      )}
    </Card>
  )
}

function Facts({ org, repository, about }: AboutProps) {
  const [editing, setEditing] = useState(false)
  if (editing) return <FactsForm org={org} repository={repository} about={about} onDone={() => setEditing(false)} />
  const pairs = Object.entries(about.labels)
  return (
    <Card aria-label="Description">
      <CardHeader
        title="Description"
        aside={
          about.mayChange && (
            <Button size="s" icon={<Pencil aria-hidden />} onClick={() => setEditing(true)} aria-label="Edit the description and labels">
              Edit
            </Button>
          )
        }
      />
      <div className="grid gap-3 p-4 text-sm">
        <p className={about.description === '' ? 'text-ink-3' : 'break-words'}>{about.description || 'None.'}</p>
        <div className="grid gap-1.5">
          <h3 className="text-ink-3 text-xs">Labels</h3>
          {pairs.length === 0 ? <p className="text-ink-3">None.</p> : <Labels pairs={pairs} />}
        </div>
        {about.updatedAt && (
          <p className="break-words text-ink-3 text-xs">
            Changed by {about.updatedBy}, <TimeAgo at={about.updatedAt} />
          </p>
        )}
      </div>
    </Card>
  )
}
