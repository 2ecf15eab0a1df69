'use client'
import type { views } from '@slipway/contracts'
import { AppStatus, Card, CardHeader, Link, RowLink } from '@slipway/ui'
import { routes } from '@/lib/routes'

/** A project with its apps: state, what happens, and the address. */
export function ProjectCard({ org, project }: { org: string; project: Pick<views.ProjectView, 'name' | 'slug' | 'apps'> }) {
  return (
    <Card>
      <CardHeader title={project.name} aside={project.apps.length === 1 ? '1 app' : `${project.apps.length} apps`} />
      <ul>
        {project.apps.map((app) => (
          <AppRow key={app.id} org={org} app={app} />
        ))}
      </ul>
    </Card>
  )
}

export function AppRow({ org, app }: { org: string; app: views.AppSummary }) {
  return (
    <li className="relative flex flex-wrap items-center gap-x-4 gap-y-1 border-line border-b px-4 py-2.75 transition-colors duration-120 last:border-b-0 hover:bg-sunken">
      <div className="min-w-0 flex-1 basis-48">
        <RowLink href={routes.app(org, app.slug)} className="block truncate font-medium">
          {app.name}
        </RowLink>
        <p className="truncate text-ink-2 text-xs leading-5">{app.activity}</p>
      </div>
      <div className="hidden min-w-0 flex-1 basis-40 md:block">
        {app.state === 'live' && (
          <Link
            href={app.url}
            className="relative z-10 max-w-full truncate rounded-sm font-mono text-ink-2 text-xs underline-offset-3 hover:text-ink hover:underline"
          >
            {hostOf(app.url)}
          </Link>
        )}
      </div>
      <AppStatus state={app.state} />
    </li>
  )
}

export function hostOf(url: string): string {
  return url.replace(/^https?:\/\//, '').replace(/\/$/, '')
}
