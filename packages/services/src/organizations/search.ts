import { OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import { searchBuilds, searchOrganization, type Tx } from '@slipway/db'
import type { Scope } from '../scope'

/** What ⌘K offers besides rows; each leads to a page. */
const ACTIONS = [
  { label: 'New app', detail: 'From a Git repository or an image', path: (base: string) => `${base}/apps/new` },
  { label: 'Settings', detail: 'Members and the organization', path: (base: string) => `${base}/settings` },
  { label: 'API keys', detail: 'For the CLI and docker login', path: () => '/account' },
]

export async function searchIn(db: Tx, scope: Scope, query: string): Promise<views.SearchHit[]> {
  const text = query.trim()
  const base = `/${scope.organization}`
  const actions = ACTIONS.filter((action) => action.label.toLowerCase().includes(text.toLowerCase())).map(
    ({ label, detail, path }): views.SearchHit => ({ kind: 'action', label, detail, href: path(base) }),
  )
  const [{ apps, projects, repositories }, builds] = await Promise.all([
    searchOrganization(db, scope.organizationId, text),
    searchBuilds(db, scope.organizationId, text),
  ])
  return [
    ...apps.map((app): views.SearchHit => ({ kind: 'app', label: app.name, detail: app.project.name, href: `${base}/apps/${app.slug}` })),
    ...projects.map(
      (project): views.SearchHit => ({
        kind: 'project',
        label: project.name,
        detail: project._count.apps === 1 ? '1 app' : `${project._count.apps} apps`,
        href: `${base}/apps?project=${project.slug}`,
      }),
    ),
    ...repositories.map(
      (repository): views.SearchHit => ({
        kind: 'repository',
        label: repository.name,
        detail: repository.about?.description || `${OWN_REGISTRY_HOST}/${scope.organization}/${repository.name}`,
        href: `${base}/images/${repository.name.split('/').map(encodeURIComponent).join('/')}`,
      }),
    ),
    ...builds.map(
      (build): views.SearchHit => ({
        kind: 'build',
        label: `${build.app.name} #${build.number}`,
        detail: build.commitMessage?.split('\n')[0] ?? build.state,
        href: `${base}/apps/${build.app.slug}/builds/${build.number}`,
      }),
    ),
    ...actions,
  ]
}
