/**
 * The dry run of retention, a page after the other, of all repositories of an organization or of one. A page is bounded in its work, not
 * only in its repositories: a large one is a page of its own, with what becomes of it, and what comes free of it is counted in pages of
 * its blobs. All pages together say what a run would do, if nothing changes meanwhile.
 */
import type { inputs, views } from '@slipway/contracts'
import { AppError, type KeptBecause } from '@slipway/core'
import {
  countRepositories,
  freedAmong,
  freedBytes,
  listRetentions,
  type Parting,
  type RetentionData,
  repositoriesPage,
  repositoryById,
  retentionRows,
} from '@slipway/db'
import type { Deps } from '../deps'
import type { Scope } from '../scope'
import { dataOf, type Place, type Planned, plansOf, ruleFor, rulesView } from './retention'

/** What is done for one page, at most. */
export interface DryRunSizes {
  repositories: number
  /** Tags, manifests and blobs of its repositories, together. One that has more is a page of its own. */
  rows: number
  /** Of a large repository: so many blobs are looked at; … */
  blobs: number
  /** … all at once, where no more than so many manifests go. */
  manifests: number
}
const SIZES: DryRunSizes = { repositories: 25, rows: 5000, blobs: 3200, manifests: 250 }
/** A page lists so many tags of each repository. */
const TAGS = 200
/** What becomes of a large repository is kept while its blobs are counted; without it the next page finds it out again. */
const KEPT_PLANS = 8
const KEPT_MS = 60_000

type Asked = { rules?: inputs.RetentionRulesInput | undefined; cursor?: string | null | undefined }
type Page = views.RetentionPreviewPage

export interface DryRun {
  ofOrganization(scope: Scope, asked: Asked): Promise<Page>
  ofRepository(scope: Scope, place: Place, asked: Asked): Promise<Page>
}

/** The repositories that are looked at, by the order of their ids. */
interface Walk {
  /** Whose rules those of the question are in place of; null: the organization's. */
  rulesOf: string | null
  after(id: string | null, take: number): Promise<Place[]>
  /** Null: it is not there any more. */
  at(id: string): Promise<Place | null>
  count(): Promise<number>
}

export function createDryRun({ db }: Pick<Deps, 'db'>, sizes = SIZES): DryRun {
  const kept = keepPartings()

  async function pageOf(walk: Walk, scope: Scope, { rules, cursor }: Asked): Promise<Page> {
    const from = readCursor(cursor)
    const saved = await listRetentions(db, scope.organizationId)
    const policies = rules
      ? [...saved.filter(({ repositoryId }) => repositoryId !== walk.rulesOf), { ...dataOf(rules), repositoryId: walk.rulesOf }]
      : saved
    if (from?.digest === undefined) return plansPage(walk, scope, policies, from?.id ?? null)
    return bytesPage(walk, scope, policies, from.id, from.digest)
  }

  /** What becomes of the next repositories, with what comes free; of a large one without. */
  async function plansPage(walk: Walk, scope: Scope, policies: Policies, after: string | null): Promise<Page> {
    const found = await walk.after(after, sizes.repositories + 1)
    const places = found.slice(0, sizes.repositories).map((place) => ({ ...place, rules: ruleFor(policies, place) }))
    const ruled = (among: typeof places) => among.flatMap(({ rules, ...place }) => (rules ? [{ ...place, rules }] : []))
    const rows = await retentionRows(
      db,
      ruled(places).map(({ id }) => id),
      sizes.rows,
    )
    let sum = 0
    const over = places.findIndex(({ id }) => {
      sum += rows.get(id) ?? 0
      return sum > sizes.rows
    })
    const taken = over === -1 ? places : places.slice(0, Math.max(over, 1))
    const plans = await plansOf(db, scope.organization, ruled(taken))
    const last = taken.at(-1)?.id
    const next = last !== undefined && found.length > taken.length ? last : null
    const page = { of: await walk.count(), looked: taken.length, within: null, next }
    const [large] = plans
    if (over !== 0 || !large || large.plan.goes.length === 0) {
      const freed = await freedBytes(
        db,
        plans.map(({ parting }) => parting),
      )
      return { ...sumOf(walk, plans, freed), ...page }
    }
    kept.set(keyOf(scope, large), large.parting)
    const within = { repository: large.name, part: 0 }
    return { ...sumOf(walk, plans, new Map()), ...page, looked: 0, within, next: writeCursor({ id: large.id, digest: '' }) }
  }

  /** What comes free of a large repository's next blobs. */
  async function bytesPage(walk: Walk, scope: Scope, policies: Policies, id: string, digest: string): Promise<Page> {
    const place = await walk.at(id)
    const rules = place && ruleFor(policies, place)
    const { bytes, last } = place && rules ? await bytesAfter(scope, { ...place, rules }, digest) : { bytes: 0, last: null }
    const more = last !== null || (await walk.after(id, 1)).length > 0
    return {
      ...NOTHING,
      bytes,
      rows: place && bytes > 0 ? [{ repository: place.name, bytes, manifests: 0, tags: [], goes: 0, total: 0 }] : [],
      of: await walk.count(),
      looked: last === null ? 1 : 0,
      within: place && last !== null ? { repository: place.name, part: partBefore(last) } : null,
      next: more ? writeCursor({ id, digest: last ?? undefined }) : null,
    }
  }

  async function bytesAfter(scope: Scope, place: Place & { rules: RetentionData }, after: string) {
    const key = keyOf(scope, place)
    const parting = kept.get(key) ?? (await plansOf(db, scope.organization, [place]))[0]?.parting
    if (!parting || parting.goes.length === 0) return { bytes: 0, last: null }
    kept.set(key, parting)
    if (after === '' && parting.goes.length <= sizes.manifests)
      return { bytes: (await freedBytes(db, [parting])).get(place.id) ?? 0, last: null }
    return freedAmong(db, parting, { after, take: sizes.blobs })
  }

  return {
    ofOrganization(scope, asked) {
      const { organizationId } = scope
      const walk: Walk = {
        rulesOf: null,
        after: (id, take) => repositoriesPage(db, organizationId, take, id ?? undefined),
        at: (id) => repositoryById(db, organizationId, id),
        count: () => countRepositories(db, organizationId),
      }
      return pageOf(walk, scope, asked)
    },

    ofRepository(scope, place, asked) {
      const own = (id: string) => {
        if (id !== place.id) throw badCursor()
        return place
      }
      const walk: Walk = {
        rulesOf: place.id,
        after: async (id) => (id === null || own(id) !== place ? [place] : []),
        at: async (id) => own(id),
        count: async () => 1,
      }
      return pageOf(walk, scope, asked)
    },
  }
}

type Policies = Parameters<typeof ruleFor>[0]

const NOTHING = { repositories: 0, changed: 0, tags: 0, manifests: 0, kept: [] }

/** With a row for each repository where something goes; when it is asked about one, for that in any case. */
function sumOf({ rulesOf }: Walk, plans: readonly Planned[], freed: ReadonlyMap<string, number>): views.RetentionPreviewView {
  const kept = new Map<KeptBecause, number>()
  const rows = plans.map(({ id, name, plan, bytes }) => {
    const go = plan.tags.filter((tag) => tag.kept === null)
    const stay = plan.tags.filter((tag) => tag.kept !== null)
    for (const { kept: because } of stay) if (because) kept.set(because, (kept.get(because) ?? 0) + 1)
    const tags = [...go, ...stay].slice(0, TAGS)
    return {
      repository: name,
      bytes: bytes + (freed.get(id) ?? 0),
      manifests: plan.goes.length,
      tags,
      goes: go.length,
      total: plan.tags.length,
    }
  })
  const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + of(row), 0)
  const changed = rows.filter((row) => row.manifests + row.goes > 0)
  return {
    repositories: rows.length,
    changed: changed.length,
    tags: sum(({ goes }) => goes),
    manifests: sum(({ manifests }) => manifests),
    bytes: sum(({ bytes }) => bytes),
    kept: [...kept].map(([because, tags]) => ({ because, tags })).sort((a, b) => b.tags - a.tags),
    rows: rulesOf === null ? changed : rows,
  }
}

/** After a repository, or with `digest` after that blob of it; none is before all digests. */
interface Cursor {
  id: string
  digest?: string | undefined
}
const CURSOR = /^([a-z0-9_]{1,64})(?:@((?:sha(?:256|512):[0-9a-f]{64,128})?))?$/

const writeCursor = ({ id, digest }: Cursor) => (digest === undefined ? id : `${id}@${digest}`)

function readCursor(text: string | null | undefined): Cursor | null {
  if (text === null || text === undefined) return null
  const [, id, digest] = CURSOR.exec(text) ?? []
  if (id === undefined) throw badCursor()
  return { id, digest }
}

const badCursor = () =>
  new AppError({ kind: 'bad-input', code: 'CURSOR_INVALID', message: 'This is no page of this dry run. Start the dry run again.' })

/** Digests are spread evenly, so where one stands tells how many come before it; those of SHA-512 are few, and the last. */
const partBefore = (digest: string) => (digest.startsWith('sha256:') ? Number.parseInt(digest.slice(7, 11), 16) / 0x10000 : 1)

const keyOf = ({ organizationId }: Scope, { id, rules }: { id: string; rules: RetentionData }) =>
  JSON.stringify([organizationId, id, rulesView(rules)])

function keepPartings() {
  const kept = new Map<string, { parting: Parting; until: number }>()
  return {
    get(key: string): Parting | undefined {
      const found = kept.get(key)
      return found && found.until > Date.now() ? found.parting : undefined
    },
    set(key: string, parting: Parting): void {
      kept.delete(key)
      kept.set(key, { parting, until: Date.now() + KEPT_MS })
      for (const [old, { until }] of kept) if (kept.size > KEPT_PLANS || until <= Date.now()) kept.delete(old)
    },
  }
}
