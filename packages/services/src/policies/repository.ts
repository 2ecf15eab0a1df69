import { type inputs, OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import { AppError, globMatches, may, notFound } from '@slipway/core'
import {
  appBuildingInto,
  appsNeeding,
  assertTagsMayGo,
  createTagRule,
  deleteRedirect,
  deleteRepository,
  deleteTagRule,
  emitEvent,
  findAbout,
  findMembership,
  findRetention,
  findSchedule,
  lastCleanUp,
  lastRetentionRun,
  listTagRules,
  lockRepository,
  movedRepository,
  moveRepository,
  type RepositoryRow,
  redirectsOf,
  renameReferences,
  setAbout,
  setRepositoryName,
  setRetention,
  setSchedule,
  type Tx,
  tagNames,
} from '@slipway/db'
import { isRepositoryName } from '@slipway/oci'
import type { AccessService } from '../access/service'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { loadRepository } from '../images/load'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { DryRun } from './dry-run'
import { MAX_RULES, ruleLabel, ruleViews, tooManyRules } from './policies'
import { underRules } from './refusals'
import { dataOf, rulesView } from './retention'
import type { RepositoriesService } from './service'

const DEFAULT_MINUTE = 180
/** To a webhook: one that deletes more is told so by `whole`. */
const MAX_TAGS_TOLD = 100

export function createRepositories(deps: Deps, access: Pick<AccessService, 'repositoryScope'>, dryRun: DryRun): RepositoriesService {
  const { db } = deps
  const target = (repository: RepositoryRow) => ({ type: 'repository', id: repository.id, label: repository.name })
  const pathOf = (scope: Scope, repository: RepositoryRow) => `${scope.organization}/${repository.name}`

  async function policies(scope: Scope, { repository: name }: { repository: string }): Promise<views.RepositoryPoliciesView> {
    const repository = await loadRepository(db, scope, name)
    const [own, all, retention, general, oldNames, app, schedule, lastRun, lastCleaned] = await Promise.all([
      listTagRules(db, scope.organizationId, repository.id),
      listTagRules(db, scope.organizationId, null),
      findRetention(db, scope.organizationId, repository.id),
      findRetention(db, scope.organizationId, null),
      redirectsOf(db, repository.id),
      appBuildingInto(db, scope.organizationId, repository.name),
      findSchedule(db, scope.organizationId),
      lastRetentionRun(db, scope.organizationId),
      lastCleanUp(db, scope.organizationId, repository.id),
    ])
    const inherited = await ruleViews(
      db,
      all.filter((rule) => globMatches(rule.repositories, repository.name)),
    )
    return {
      rules: await ruleViews(db, own),
      inherited,
      retention: retention && (retention.enabled ? rulesView(retention) : 'keep'),
      inheritedRetention: general && globMatches(general.repositories, repository.name) ? rulesView(general) : null,
      lastRun: lastRun && { at: lastRun.finishedAt ?? lastRun.startedAt, error: lastRun.errorMessage },
      lastCleaned,
      nextRunAt: schedule?.nextAt ?? null,
      oldNames: oldNames.map((row) => ({ name: `${row.organization.slug}/${row.name}`, since: row.createdAt })),
      builtBy: app?.slug ?? null,
      mayManage: may(scope.role, 'manage access'),
    }
  }

  async function about(scope: Scope, { repository: name }: { repository: string }): Promise<views.RepositoryAboutView> {
    const repository = await loadRepository(db, scope, name)
    const row = await findAbout(db, repository.id)
    return {
      description: row?.description ?? '',
      readme: row?.readme ?? '',
      labels: (row?.labels ?? {}) as Record<string, string>,
      updatedAt: row?.updatedAt ?? null,
      updatedBy: row?.updatedBy ?? null,
      mayChange: may(scope.role, 'change'),
    }
  }

  /** Loaded, with nothing that its name must not change under. */
  async function movable(scope: Scope, name: string): Promise<RepositoryRow> {
    const repository = await loadRepository(db, scope, name)
    const app = await appBuildingInto(db, scope.organizationId, repository.name)
    if (!app) return repository
    throw new AppError({
      kind: 'conflict',
      code: 'REPOSITORY_OF_APP',
      message: `The builds of the app ${app.slug} go into this repository by its name. Delete the app first, or copy the image.`,
    })
  }

  return {
    policies,

    async addRule(scope, { repository: name, ...rule }) {
      assertMay(scope, 'manage access')
      const repository = await loadRepository(db, scope, name)
      if ((await listTagRules(db, scope.organizationId, repository.id)).length >= MAX_RULES) throw tooManyRules()
      await db.$transaction(async (tx) => {
        await createTagRule(tx, { ...rule, repositories: '*', organizationId: scope.organizationId, repositoryId: repository.id })
        await audit(tx, scope, 'tagRule.create', { ...target(repository), label: `${ruleLabel(rule)} of ${repository.name}` }, { ...rule })
      })
      return policies(scope, { repository: name })
    },

    async removeRule(scope, { repository: name, id }) {
      assertMay(scope, 'manage access')
      const repository = await loadRepository(db, scope, name)
      await db.$transaction(async (tx) => {
        const rule = await deleteTagRule(tx, scope.organizationId, repository.id, id)
        if (!rule) throw notFound('rule', 'TAG_RULE_NOT_FOUND')
        await audit(tx, scope, 'tagRule.delete', { ...target(repository), label: `${ruleLabel(rule)} of ${repository.name}` })
      })
      return policies(scope, { repository: name })
    },

    async setRetention(scope, { repository: name, rules }) {
      assertMay(scope, 'manage access')
      const repository = await loadRepository(db, scope, name)
      const kept: inputs.RetentionRulesInput = {
        repositories: '*',
        keepLast: null,
        keepUsedDays: null,
        keepTags: [],
        keepDeployments: 10,
        untaggedDays: null,
      }
      const data = rules === 'keep' ? { ...dataOf(kept), enabled: false } : rules && dataOf({ ...rules, repositories: '*' })
      await db.$transaction(async (tx) => {
        await setRetention(tx, scope.organizationId, repository.id, data)
        if (data?.enabled && !(await findSchedule(tx, scope.organizationId))) await setSchedule(tx, scope.organizationId, DEFAULT_MINUTE)
        await audit(tx, scope, 'retention.set', target(repository), { rules })
      })
      return policies(scope, { repository: name })
    },

    async previewRetention(scope, { repository: name, ...asked }) {
      const { id, name: found } = await loadRepository(db, scope, name)
      return dryRun.ofRepository(scope, { id, name: found }, asked)
    },

    about,

    async setAbout(scope, { repository: name, ...data }) {
      assertMay(scope, 'change')
      const repository = await loadRepository(db, scope, name)
      await db.$transaction(async (tx) => {
        await setAbout(tx, repository.id, { ...data, updatedBy: scope.actor.label })
        await audit(tx, scope, 'repository.describe', target(repository), { changed: Object.keys(data) })
      })
      return about(scope, { repository: name })
    },

    async rename(scope, { repository: name, name: next }) {
      assertMay(scope, 'manage access')
      const repository = await movable(scope, name)
      if (!isRepositoryName(next) || next === repository.name)
        throw new AppError({
          kind: 'bad-input',
          code: 'NAME_INVALID',
          message:
            next === repository.name
              ? 'That is its name already.'
              : 'Use lower-case letters and digits, with single . _ - between them, and / between parts.',
        })
      await db.$transaction(async (tx) => {
        await assertFree(tx, scope.organizationId, scope.organization, next)
        await setRepositoryName(tx, repository, next)
        const named = (name: string) => `${OWN_REGISTRY_HOST}/${scope.organization}/${name}`
        await renameReferences(tx, named(repository.name), named(next))
        await audit(tx, scope, 'repository.rename', { ...target(repository), label: next }, { from: repository.name, to: next })
      })
      announce(deps, { organizationId: scope.organizationId })
      return { name: next }
    },

    async transfer(scope, { repository: name, to, confirm }) {
      assertMay(scope, 'manage registry')
      const repository = await movable(scope, name)
      const membership = scope.actor.userId && !scope.actor.organization && (await findMembership(db, to, scope.actor.userId))
      // By a grant on the repository nobody gives it away.
      if (scope.within || scope.outside || !membership || !may(membership.role, 'manage registry'))
        throw new AppError({
          kind: 'forbidden',
          code: 'TRANSFER_NOT_ALLOWED',
          message: `You must be owner or admin of ${scope.organization} and of the organization that it goes to.`,
        })
      if (confirm !== repository.name)
        throw new AppError({ kind: 'bad-input', code: 'CONFIRM_NAME', message: `Type ${repository.name} to confirm.` })
      if (membership.organizationId === scope.organizationId)
        throw new AppError({ kind: 'bad-input', code: 'SAME_ORGANIZATION', message: 'It belongs to that organization already.' })
      await assertUnused(db, scope, repository)
      await underRules(`${to}/${repository.name}`, () =>
        db.$transaction(
          async (tx) => {
            await assertFree(tx, membership.organizationId, to, repository.name)
            await moveRepository(tx, repository, membership.organizationId)
            await audit(tx, scope, 'repository.transfer', target(repository), { to })
            await audit(tx, { ...scope, organizationId: membership.organizationId }, 'repository.receive', target(repository), {
              from: scope.organization,
            })
          },
          { timeout: 60_000 },
        ),
      )
      announce(deps, { organizationId: scope.organizationId })
      announce(deps, { organizationId: membership.organizationId })
      return { org: to, name: repository.name }
    },

    async delete(scope, { repository: name, confirm }) {
      assertMay(scope, 'manage access')
      const repository = await movable(scope, name)
      if (confirm !== repository.name)
        throw new AppError({ kind: 'bad-input', code: 'CONFIRM_NAME', message: `Type ${repository.name} to confirm.` })
      const remove = async (tx: Tx) => {
        // Nothing is pushed into it between the looks and the end.
        if (!(await lockRepository(tx, repository.id))) throw notFound('repository', 'REPOSITORY_NOT_FOUND')
        await assertUnused(tx, scope, repository)
        const tags = await tagNames(tx, repository.id)
        await assertTagsMayGo(tx, repository.id, tags, scope.actor.userId ?? '')
        await deleteRepository(tx, repository.id)
        await audit(tx, scope, 'repository.delete', target(repository), { tagCount: tags.length })
        const gone = { digest: null, tags: tags.slice(0, MAX_TAGS_TOLD), whole: true }
        await emitEvent(tx, scope.organizationId, { kind: 'delete', repository: repository.name, actor: scope.actor.label, data: gone })
      }
      await underRules(pathOf(scope, repository), () => db.$transaction(remove, { timeout: 60_000 }))
      announce(deps, { organizationId: scope.organizationId })
      return { name: repository.name }
    },

    async forgetName(scope, { repository: name, oldName }) {
      assertMay(scope, 'manage access')
      const repository = await loadRepository(db, scope, name)
      const [organization = '', ...rest] = oldName.split('/')
      await db.$transaction(async (tx) => {
        if (!(await deleteRedirect(tx, repository.id, { organization, name: rest.join('/') }))) throw notFound('name', 'OLD_NAME_NOT_FOUND')
        await audit(tx, scope, 'repository.forgetName', target(repository), { name: oldName })
      })
      return policies(scope, { repository: name })
    },

    async moved(actor, { org, repository }) {
      const to = await movedRepository(db, { organization: org, name: repository })
      if (!to) return null
      // The new name is for those who may look there.
      const open = await access.repositoryScope(actor, to.organization, to.name).catch(() => null)
      return open && { org: to.organization, repository: to.name }
    },
  }

  async function assertUnused(tx: Tx, scope: Scope, repository: RepositoryRow) {
    const apps = await appsNeeding(tx, `${OWN_REGISTRY_HOST}/${pathOf(scope, repository)}`)
    if (apps.length === 0) return
    throw new AppError({
      kind: 'conflict',
      code: 'REPOSITORY_IN_USE',
      message: `Apps run an image of it: ${apps.slice(0, 5).join(', ')}. Deploy another one there first.`,
    })
  }

  async function assertFree(tx: Tx, organizationId: string, organization: string, name: string) {
    if ((await tx.repository.count({ where: { organizationId, name } })) === 0) {
      const app = await appBuildingInto(tx, organizationId, name)
      if (!app) return
      throw new AppError({
        kind: 'conflict',
        code: 'REPOSITORY_OF_APP',
        message: `The name ${organization}/${name} is kept for the builds of the app ${app.slug}. Choose another one.`,
      })
    }
    throw new AppError({
      kind: 'conflict',
      code: 'REPOSITORY_EXISTS',
      message: `${organization} has a repository ${name} already. Choose another name.`,
    })
  }
}
