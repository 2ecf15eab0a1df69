/** Retention: its rules and plans, and the run, one repository after the other, each in a transaction of its own. */
import { type inputs, OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import { globMatches, planRetention, type RetentionPlan } from '@slipway/core'
import {
  type CleanUp,
  claimRetentionRun,
  finishRetentionRun,
  freedBytes,
  listRetentions,
  lockRepository,
  noteRetentionRun,
  type Parting,
  type PlannedManifest,
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

export interface Place {
  id: string
  name: string
}
export type Ruled = Place & { rules: RetentionData }

export interface Planned extends Ruled {
  plan: RetentionPlan<PlannedManifest>
  /** Of the manifests that go, without the blobs that come free with them. */
  bytes: number
  parting: Parting
}

/** What becomes of each of these repositories, in their order. */
export async function plansOf(tx: Tx, organization: string, places: readonly Ruled[]): Promise<Planned[]> {
  if (places.length === 0) return []
  const inputs = await retentionInputs(
    tx,
    places.map(({ id, name, rules }) => ({
      id,
      reference: `${OWN_REGISTRY_HOST}/${organization}/${name}`,
      keepDeployments: rules.keepDeployments,
    })),
  )
  return places.flatMap((place) => {
    const input = inputs.get(place.id)
    if (!input) return []
    const plan = planRetention(place.rules, input)
    const bytes = plan.goes.reduce((sum, manifest) => sum + manifest.bytes, 0)
    return [{ ...place, plan, bytes, parting: { id: place.id, goes: plan.goes.map(idOf), stays: plan.stays.map(idOf) } }]
  })
}

const idOf = ({ id }: PlannedManifest) => id

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
      const { plan, parting } = found
      const tags = plan.tags.filter((tag) => tag.kept === null).map((tag) => tag.name)
      const manifests = plan.goes.length
      if (tags.length + manifests === 0) return null
      const bytes = found.bytes + ((await freedBytes(tx, [parting])).get(place.id) ?? 0)
      await removePlanned(tx, place.id, plan, rules.keepDeployments)
      await writeAudit(tx, run.organizationId, {
        actorUserId: null,
        actorLabel: run.actor,
        action: 'retention.clean',
        targetType: 'repository',
        targetId: place.id,
        targetLabel: place.name,
        data: { tags: tags.slice(0, KEPT_TAGS), tagCount: tags.length, manifests, bytes } satisfies CleanUp,
      })
      return { tags, manifests, bytes }
    },
    { maxWait: 15_000, timeout: 60_000 },
  )
}
