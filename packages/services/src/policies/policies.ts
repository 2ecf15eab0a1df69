import type { views } from '@slipway/contracts'
import { AppError, notFound } from '@slipway/core'
import {
  createRetentionRun,
  createTagRule,
  deleteTagRule,
  findRetention,
  findSchedule,
  listRetentionRuns,
  listTagRules,
  listUsages,
  openRetentionRun,
  organizationUsage,
  removeSchedule,
  setQuota,
  setRetention,
  setSchedule,
  type TagRule,
  type Tx,
  tagsMatching,
} from '@slipway/db'
import { audit } from '../audit'
import type { Deps } from '../deps'
import { assertRunsHosts, mayRunHosts } from '../hosts/operator'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { DryRun } from './dry-run'
import { dataOf, rulesView, runOpenRetention } from './retention'
import type { PoliciesService } from './service'

const DEFAULT_MINUTE = 180
const SHOWN_RUNS = 20
export const MAX_RULES = 50

export const tooManyRules = () =>
  new AppError({
    kind: 'conflict',
    code: 'TOO_MANY_RULES',
    message: `There may be ${MAX_RULES} rules here. Remove one that is not needed any more.`,
  })

export const ruleViews = (db: Tx, rules: TagRule[]): Promise<views.TagRuleView[]> =>
  Promise.all(
    rules.map(async (rule) => ({
      id: rule.id,
      kind: rule.kind,
      repositories: rule.repositories,
      tags: rule.tags,
      builds: rule.builds,
      matches: (await tagsMatching(db, rule.organizationId, rule)).tags,
    })),
  )

export const ruleLabel = ({ kind, tags }: Pick<TagRule, 'kind' | 'tags'>) => `${kind} ${tags}`

export function createPolicies(deps: Deps, dryRun: DryRun): PoliciesService {
  const { db } = deps
  const quotas = async () => (await listUsages(db)).map(({ organizationId: _, ...view }) => view)
  const rules = async (scope: Scope) => ruleViews(db, await listTagRules(db, scope.organizationId, null))

  async function retention({ organizationId }: Scope): Promise<views.RetentionView> {
    const [policy, schedule, runs] = await Promise.all([
      findRetention(db, organizationId, null),
      findSchedule(db, organizationId),
      listRetentionRuns(db, organizationId, SHOWN_RUNS),
    ])
    return {
      rules: policy && rulesView(policy),
      minute: schedule?.minute ?? DEFAULT_MINUTE,
      nextAt: schedule?.nextAt ?? null,
      runs: runs.map((run) => ({
        id: run.id,
        by: run.actorLabel,
        startedAt: run.startedAt,
        finishedAt: run.finishedAt,
        repositories: run.repositories,
        tags: run.tags,
        manifests: run.manifests,
        bytes: Number(run.bytes),
        removed: run.removed as unknown as views.RetentionRunView['removed'],
        error: run.errorMessage,
      })),
    }
  }

  return {
    async quota(scope) {
      const { organizationId: _, ...view } = await organizationUsage(db, scope.organizationId)
      return { ...view, maySet: await mayRunHosts(db, scope) }
    },

    async quotas(scope) {
      await assertRunsHosts(db, scope)
      return quotas()
    },

    async setQuota(scope, { organization, maxBytes, maxRepositories }) {
      await assertRunsHosts(db, scope)
      const target = await db.organization.findUnique({ where: { slug: organization }, select: { id: true, slug: true } })
      if (!target) throw notFound('organization', 'ORGANIZATION_NOT_FOUND')
      await db.$transaction(async (tx) => {
        await setQuota(tx, target.id, { maxBytes, maxRepositories })
        const what = { type: 'organization', id: target.id, label: target.slug }
        await audit(tx, { ...scope, organizationId: target.id }, 'quota.set', what, { maxBytes, maxRepositories })
      })
      return quotas()
    },

    rules,

    async addRule(scope, input) {
      assertMay(scope, 'manage registry')
      if ((await rules(scope)).length >= MAX_RULES) throw tooManyRules()
      await db.$transaction(async (tx) => {
        const rule = await createTagRule(tx, { ...input, organizationId: scope.organizationId, repositoryId: null })
        await audit(tx, scope, 'tagRule.create', { type: 'tagRule', id: rule.id, label: ruleLabel(rule) }, { ...input })
      })
      return rules(scope)
    },

    async removeRule(scope, { id }) {
      assertMay(scope, 'manage registry')
      await db.$transaction(async (tx) => {
        const rule = await deleteTagRule(tx, scope.organizationId, null, id)
        if (!rule) throw notFound('rule', 'TAG_RULE_NOT_FOUND')
        await audit(tx, scope, 'tagRule.delete', { type: 'tagRule', id, label: ruleLabel(rule) })
      })
      return rules(scope)
    },

    retention,

    async setRetention(scope, { rules: next, minute }) {
      assertMay(scope, 'manage registry')
      await db.$transaction(async (tx) => {
        await setRetention(tx, scope.organizationId, null, next && dataOf(next))
        // Repositories may have rules of their own without the organization's: the schedule stays as long as any rule is there.
        const any = await tx.retentionPolicy.count({ where: { organizationId: scope.organizationId, enabled: true } })
        await (any > 0 ? setSchedule(tx, scope.organizationId, minute) : removeSchedule(tx, scope.organizationId))
        await audit(
          tx,
          scope,
          'retention.set',
          { type: 'organization', id: scope.organizationId, label: scope.organization },
          { rules: next, minute },
        )
      })
      return retention(scope)
    },

    previewRetention: (scope, input) => dryRun.ofOrganization(scope, input),

    async runRetention(scope) {
      assertMay(scope, 'manage registry')
      await db.$transaction(async (tx) => {
        if (await openRetentionRun(tx, scope.organizationId))
          throw new AppError({ kind: 'conflict', code: 'RETENTION_RUNS', message: 'Retention is running now. Wait for it to end.' })
        const run = await createRetentionRun(tx, scope.organizationId, scope.actor.label)
        await audit(tx, scope, 'retention.run', { type: 'organization', id: run.id, label: scope.organization })
      })
      return retention(scope)
    },

    runOpen: (signal) => runOpenRetention(deps, signal),
  }
}
