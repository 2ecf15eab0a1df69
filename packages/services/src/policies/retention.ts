/** Retention: the dry run and the run itself, one repository after the other, each in a transaction of its own. */
import { type inputs, OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import { globMatches, type KeptBecause, planRetention, type RetentionPlan } from '@slipway/core'
import {
  type CleanUp,
  claimRetentionRun,
  finishRetentionRun,
  freedBytes,
  listRetentions,
  lockRepository,
  noteRetentionRun,
  type RetentionData,
  type RunProgress,
  removePlanned,
  repositoriesPage,
  retentionInput,
  startDueRuns,
  type Tx,
  UsedMeanwhile,
  writeAudit,
} from '@slipway/db'
import { announce, type Deps } from '../deps'

/** A preview counts all repositories, lists so many of them, and so many tags of each. */
const PREVIEW_REPOSITORIES = 200
const PREVIEW_TAGS = 200
const PAGE = 100
/** Of what went, kept with the run. */
const KEPT_ROWS = 200
const KEPT_TAGS = 50
/** A run whose worker has not been heard of for so long is taken up by another. */
const STALE_MS = 60_000

export const dataOf = (rules: inputs.RetentionRulesInput): RetentionData => ({ enabled: true, ...rules })
export const rulesView = ({ enabled: _, ...rest }: RetentionData): views.RetentionRulesView => ({
  repositories: rest.repositories,
  keepLast: rest.keepLast,
  keepUsedDays: rest.keepUsedDays,
  keepTags: rest.keepTags,
  keepDeployments: rest.keepDeployments,
  untaggedDays: rest.untaggedDays,
})

/** The rules that hold in a repository: its own, else the organization's where they are for it. */
export function ruleFor(policies: readonly (RetentionData & { repositoryId: string | null })[], repository: { id: string; name: string }) {
  const own = policies.find((policy) => policy.repositoryId === repository.id)
  if (own) return own.enabled ? own : null
  return policies.find((policy) => policy.repositoryId === null && globMatches(policy.repositories, repository.name)) ?? null
}

interface Place {
  id: string
  name: string
}

async function planOf(tx: Tx, organization: string, { id, name }: Place, rules: RetentionData): Promise<RetentionPlan> {
  const reference = `${OWN_REGISTRY_HOST}/${organization}/${name}`
  return planRetention(rules, await retentionInput(tx, id, reference, rules.keepDeployments))
}

/** All of the organization, however many, a page at a time. */
async function* everyRepository(db: Deps['db'], organizationId: string): AsyncGenerator<Place> {
  let cursor: string | undefined
  for (;;) {
    const places = await repositoriesPage(db, organizationId, PAGE, cursor)
    yield* places
    cursor = places.at(-1)?.id
    if (places.length < PAGE) return
  }
}

type PreviewRow = views.RetentionPreviewView['rows'][number]
const mostFirst = (a: PreviewRow, b: PreviewRow) => b.bytes - a.bytes || (a.repository < b.repository ? -1 : 1)

/** `one`: of that repository alone. `rules`: in place of those that are saved; the organization's only where a repository has none. */
export async function previewRetention(
  { db }: Pick<Deps, 'db'>,
  { organizationId, organization }: { organizationId: string; organization: string },
  { one, rules }: { one?: Place; rules?: inputs.RetentionRulesInput },
): Promise<views.RetentionPreviewView> {
  const saved = await listRetentions(db, organizationId)
  const policies = rules
    ? [...saved.filter((p) => p.repositoryId !== (one?.id ?? null)), { ...dataOf(rules), repositoryId: one?.id ?? null }]
    : saved
  const kept = new Map<KeptBecause, number>()
  const view: views.RetentionPreviewView = {
    repositories: 0,
    changed: 0,
    tags: 0,
    manifests: 0,
    bytes: 0,
    kept: [],
    rows: [],
  }
  for await (const place of one ? [one] : everyRepository(db, organizationId)) {
    const rule = ruleFor(policies, place)
    if (!rule) continue
    const plan = await planOf(db, organization, place, rule)
    const bytes = await freedBytes(db, place.id, plan.manifests)
    const go = plan.tags.filter((tag) => tag.kept === null)
    view.repositories++
    view.tags += go.length
    view.manifests += plan.manifests.length
    view.bytes += bytes
    for (const { kept: because } of plan.tags) if (because) kept.set(because, (kept.get(because) ?? 0) + 1)
    const tags = [...go, ...plan.tags.filter((tag) => tag.kept !== null)].slice(0, PREVIEW_TAGS)
    const changes = plan.manifests.length + go.length > 0
    if (changes) view.changed++
    if (!one && !changes) continue
    view.rows.push({ repository: place.name, bytes, manifests: plan.manifests.length, tags, total: plan.tags.length })
    // Sorted now and then, so that no more than twice the list is ever held.
    if (view.rows.length >= 2 * PREVIEW_REPOSITORIES) view.rows = view.rows.sort(mostFirst).slice(0, PREVIEW_REPOSITORIES)
  }
  view.kept = [...kept].map(([because, tags]) => ({ because, tags })).sort((a, b) => b.tags - a.tags)
  view.rows = view.rows.sort(mostFirst).slice(0, PREVIEW_REPOSITORIES)
  return view
}

/** For the worker. What has been done stays done when it is stopped or lost; the next one goes on from the beginning, where nothing is left. */
export async function runOpenRetention(deps: Pick<Deps, 'db' | 'signals' | 'log'>, signal: AbortSignal): Promise<void> {
  await startDueRuns(deps.db)
  while (!signal.aborted) {
    const run = await claimRetentionRun(deps.db, new Date(Date.now() - STALE_MS))
    if (!run) return
    const actor = run.actorLabel ?? 'Slipway'
    try {
      await runOne(deps, { ...run, actor, organization: run.organization.slug }, signal)
      if (!signal.aborted) await finishRetentionRun(deps.db, run.id, null)
    } catch (error) {
      deps.log.error({ err: error, organizationId: run.organizationId }, 'retention failed')
      await finishRetentionRun(deps.db, run.id, 'It failed before its end. The next run goes on; the worker’s log has the cause.')
    }
    announce(deps as Deps, { organizationId: run.organizationId })
  }
}

interface OpenRun {
  id: string
  organizationId: string
  organization: string
  actor: string
  tags: number
  manifests: number
  bytes: bigint
  removed: unknown
}

async function runOne({ db, log }: Pick<Deps, 'db' | 'log'>, run: OpenRun, signal: AbortSignal): Promise<void> {
  const policies = await listRetentions(db, run.organizationId)
  const removed = Array.isArray(run.removed) ? (run.removed as RunProgress['removed']) : []
  const progress: RunProgress = { repositories: 0, tags: run.tags, manifests: run.manifests, bytes: Number(run.bytes), removed }
  for await (const place of everyRepository(db, run.organizationId)) {
    if (signal.aborted) return
    const rules = ruleFor(policies, place)
    if (!rules) continue
    const gone = await clean(db, run, place, rules).catch((error: unknown) => {
      if (!(error instanceof UsedMeanwhile)) throw error
      log.info({ repository: place.name }, 'retention leaves a repository for the next time: an image of it was deployed meanwhile')
      return null
    })
    progress.repositories++
    if (gone) {
      progress.tags += gone.tags.length
      progress.manifests += gone.manifests
      progress.bytes += gone.bytes
      if (progress.removed.length < KEPT_ROWS)
        progress.removed.push({
          repository: place.name,
          tags: gone.tags.slice(0, KEPT_TAGS),
          manifests: gone.manifests,
          bytes: gone.bytes,
        })
    }
    await noteRetentionRun(db, run.id, progress)
  }
}

/** Null: there was nothing to do. */
async function clean(db: Deps['db'], run: OpenRun, place: Place, rules: RetentionData) {
  return db.$transaction(
    async (tx) => {
      if (!(await lockRepository(tx, place.id))) return null
      const plan = await planOf(tx, run.organization, place, rules)
      const tags = plan.tags.filter((tag) => tag.kept === null).map((tag) => tag.name)
      if (tags.length + plan.manifests.length === 0) return null
      const bytes = await freedBytes(tx, place.id, plan.manifests)
      await removePlanned(tx, place.id, plan, rules.keepDeployments)
      await writeAudit(tx, run.organizationId, {
        actorUserId: null,
        actorLabel: run.actor,
        action: 'retention.clean',
        targetType: 'repository',
        targetId: place.id,
        targetLabel: place.name,
        data: { tags: tags.slice(0, KEPT_TAGS), tagCount: tags.length, manifests: plan.manifests.length, bytes } satisfies CleanUp,
      })
      return { tags, manifests: plan.manifests.length, bytes }
    },
    { maxWait: 15_000, timeout: 60_000 },
  )
}
