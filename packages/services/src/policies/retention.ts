/** Retention: the dry run and the run itself, one repository after the other, each in a transaction of its own. */
import { type inputs, OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import { globMatches, type KeptBecause, planRetention, type RetentionPlan } from '@slipway/core'
import {
  type CleanUp,
  claimRetentionRun,
  countRepositories,
  finishRetentionRun,
  freedBytes,
  listRetentions,
  lockRepository,
  noteRetentionRun,
  type RetentionData,
  type RunProgress,
  removePlanned,
  repositoriesPage,
  retentionInputs,
  startDueRuns,
  type Tx,
  UsedMeanwhile,
  writeAudit,
} from '@slipway/db'
import { announce, type Deps } from '../deps'

/** So many repositories are looked at by one question of a preview; it lists so many tags of each. */
const PREVIEW_PAGE = 25
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
type Ruled = Place & { rules: RetentionData }

interface Planned {
  name: string
  plan: RetentionPlan
  /** What comes free. */
  bytes: number
}

/** What becomes of each of these repositories, in their order. */
async function plansOf(tx: Tx, organization: string, places: readonly Ruled[]): Promise<Planned[]> {
  const inputs = await retentionInputs(
    tx,
    places.map(({ id, name, rules }) => ({
      id,
      reference: `${OWN_REGISTRY_HOST}/${organization}/${name}`,
      keepDeployments: rules.keepDeployments,
    })),
  )
  const plans = places.flatMap(({ id, name, rules }) => {
    const input = inputs.get(id)
    return input ? [{ id, name, plan: planRetention(rules, input) }] : []
  })
  const freed = await freedBytes(
    tx,
    plans.map(({ id, plan }) => ({ id, manifests: plan.manifests })),
  )
  return plans.map(({ id, name, plan }) => ({ name, plan, bytes: freed.get(id) ?? 0 }))
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

interface Organization {
  organizationId: string
  organization: string
}

/** The next repositories after `cursor`. `rules`: in place of the organization's that are saved. */
export async function previewRetention(
  { db }: Pick<Deps, 'db'>,
  { organizationId, organization }: Organization,
  { rules, cursor }: { rules?: inputs.RetentionRulesInput | undefined; cursor?: string | null | undefined },
): Promise<views.RetentionPreviewPage> {
  const policies = await policiesWith(db, organizationId, null, rules)
  const places = await repositoriesPage(db, organizationId, PREVIEW_PAGE, cursor ?? undefined)
  const ruled = places.flatMap((place) => {
    const found = ruleFor(policies, place)
    return found ? [{ ...place, rules: found }] : []
  })
  const view = previewOf(await plansOf(db, organization, ruled))
  return {
    ...view,
    rows: view.rows.filter((row) => row.manifests > 0 || row.tags.some((tag) => tag.kept === null)),
    looked: places.length,
    of: await countRepositories(db, organizationId),
    next: places.length < PREVIEW_PAGE ? null : (places.at(-1)?.id ?? null),
  }
}

/** Of one repository. `rules`: in place of its own, or of those that hold in it. */
export async function previewRepository(
  { db }: Pick<Deps, 'db'>,
  { organizationId, organization }: Organization,
  place: Place,
  rules: inputs.RetentionRulesInput | undefined,
): Promise<views.RetentionPreviewView> {
  const found = ruleFor(await policiesWith(db, organizationId, place.id, rules), place)
  return previewOf(found ? await plansOf(db, organization, [{ ...place, rules: found }]) : [])
}

async function policiesWith(
  db: Deps['db'],
  organizationId: string,
  repositoryId: string | null,
  rules: inputs.RetentionRulesInput | undefined,
) {
  const saved = await listRetentions(db, organizationId)
  return rules ? [...saved.filter((policy) => policy.repositoryId !== repositoryId), { ...dataOf(rules), repositoryId }] : saved
}

function previewOf(plans: readonly Planned[]): views.RetentionPreviewView {
  const kept = new Map<KeptBecause, number>()
  const rows = plans.map(({ name, plan, bytes }) => {
    const go = plan.tags.filter((tag) => tag.kept === null)
    const stay = plan.tags.filter((tag) => tag.kept !== null)
    for (const { kept: because } of stay) if (because) kept.set(because, (kept.get(because) ?? 0) + 1)
    const tags = [...go, ...stay].slice(0, PREVIEW_TAGS)
    return { row: { repository: name, bytes, manifests: plan.manifests.length, tags, total: plan.tags.length }, goes: go.length }
  })
  const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + of(row), 0)
  return {
    repositories: rows.length,
    changed: rows.filter(({ row, goes }) => row.manifests + goes > 0).length,
    tags: sum(({ goes }) => goes),
    manifests: sum(({ row }) => row.manifests),
    bytes: sum(({ row }) => row.bytes),
    kept: [...kept].map(([because, tags]) => ({ because, tags })).sort((a, b) => b.tags - a.tags),
    rows: rows.map(({ row }) => row),
  }
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
      const [found] = await plansOf(tx, run.organization, [{ ...place, rules }])
      if (!found) return null
      const { plan, bytes } = found
      const tags = plan.tags.filter((tag) => tag.kept === null).map((tag) => tag.name)
      if (tags.length + plan.manifests.length === 0) return null
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
