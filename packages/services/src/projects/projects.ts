import { AppError, slugify } from '@slipway/core'
import { createProject, findProject, isUniqueViolation, listApps, listProjects, type Tx } from '@slipway/db'
import { summarize } from '../apps/summaries'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { ProjectsService } from '../services'

/** `My Shop` → `my-shop`, or `my-shop-2` … when the organization has one. */
export async function createProjectRow(tx: Tx, scope: Scope, name: string) {
  const base = slugify(name).slice(0, 40).replace(/-+$/, '') || 'project'
  let slug = base
  for (let n = 2; await findProject(tx, scope.organizationId, slug); n++) slug = `${base}-${n}`
  const project = await createProject(tx, scope.organizationId, { slug, name })
  await audit(tx, scope, 'project.create', { type: 'project', id: project.id, label: project.name })
  return project
}

export const createProjects = (deps: Deps): ProjectsService => ({
  async list(scope) {
    const [projects, apps] = await Promise.all([listProjects(deps.db, scope.organizationId), listApps(deps.db, scope.organizationId)])
    const summaries = await summarize(deps, scope, apps)
    return projects.map(({ slug, name, createdAt }) => ({
      slug,
      name,
      createdAt,
      apps: summaries.filter((app) => app.project.slug === slug),
    }))
  },

  async create(scope, input) {
    assertMay(scope, 'change')
    try {
      const { slug } = await deps.db.$transaction((tx) => createProjectRow(tx, scope, input.name))
      announce(deps, { organizationId: scope.organizationId })
      return { slug }
    } catch (cause) {
      if (!isUniqueViolation(cause)) throw cause
      throw new AppError({
        kind: 'conflict',
        code: 'PROJECT_NAME_TAKEN',
        message: 'A project of this name was just created. Choose another name.',
        cause,
      })
    }
  },
})
