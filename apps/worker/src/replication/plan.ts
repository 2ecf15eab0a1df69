/**
 * Takes: a run. Gives: the tags that it is to copy, each with its name on either side.
 *
 * Ours are read from the database. Another registry is asked: patterns that name one repository need no catalog, which Docker Hub and
 * others have none of; with a `*` or `?` its catalog is read.
 */
import { BUILD_CACHE_TAG } from '@slipway/contracts'
import { AppError, isAppError, isExactName, replicatedName, replicatesRepository, replicatesTag } from '@slipway/core'
import { type PlannedItem, type ReplicationRunRow, tagsOfOrganization } from '@slipway/db'
import { isRepositoryName, isTag } from '@slipway/oci'
import { isReferrersTag, retried } from '@slipway/oci/copy'
import type { ReplicationDeps } from './run'
import type { Rule, Sides } from './sides'

export const MAX_ITEMS = 20_000
/** In place of the tags of a repository that has told none: no tag is called so. */
export const NO_TAGS = '*'
const PAGE = 5000
const MAX_REPOSITORIES = 5000

export async function planRun(
  deps: ReplicationDeps,
  { rule, ...run }: ReplicationRunRow & { rule: Rule },
  sides: Sides,
  signal: AbortSignal,
): Promise<PlannedItem[]> {
  const items: PlannedItem[] = []
  const add = (source: string, tag: string) => {
    const wanted = replicatesTag(rule, tag) && tag !== BUILD_CACHE_TAG && !isReferrersTag(tag) && isTag(tag)
    if (!wanted && tag !== NO_TAGS) return
    const target = replicatedName(rule, source)
    if (!isRepositoryName(target)) throw nameTooLong(target)
    items.push({ source, target, tag })
    if (items.length > MAX_ITEMS) throw tooMany()
  }
  if (run.repository !== null) for (const tag of run.tags) add(run.repository, tag)
  else if (rule.direction === 'push') await ours(deps, rule, add)
  else await theirs(rule, sides, signal, add)
  return items
}

type Add = (source: string, tag: string) => void

async function ours({ db }: ReplicationDeps, rule: Rule, add: Add): Promise<void> {
  for (let after: { repository: string; tag: string } | undefined; ; ) {
    const page = await tagsOfOrganization(db, rule.organizationId, PAGE, after)
    for (const { repository, tag } of page) if (replicatesRepository(rule, repository)) add(repository, tag)
    after = page.at(-1)
    if (page.length < PAGE) return
  }
}

async function theirs(rule: Rule, { remote }: Sides, signal: AbortSignal, add: Add): Promise<void> {
  const names = new Set(rule.repositories.filter(isExactName))
  if (names.size < rule.repositories.length) {
    const catalog = await retried(() => remote.catalog(MAX_REPOSITORIES), { signal }).catch((error: unknown) => {
      const none = isAppError(error) && ['MANIFEST_UNKNOWN', 'REGISTRY_DENIED'].includes(error.code)
      throw none ? noCatalog(rule.remote, error) : error
    })
    for (const name of catalog) if (replicatesRepository(rule, name)) names.add(name)
  }
  for (const name of [...names].sort()) {
    const exact = rule.tags.length > 0 && rule.tags.every(isExactName)
    // What is named needs no list; whether it is there is told by its copy.
    const tags = exact ? rule.tags : await retried(() => remote.listTags(name, MAX_ITEMS + 1), { signal }).catch(notThere)
    // One wrong name keeps nobody from the others; it is told as a tag that failed.
    if (tags) for (const tag of tags) add(name, tag)
    else add(name, NO_TAGS)
  }
}

/** The repository is not there, or not for these credentials; a refused login ends the run as ever. */
function notThere(error: unknown): undefined {
  const isOne = isAppError(error) && (error.code === 'MANIFEST_UNKNOWN' || error.code === 'REGISTRY_DENIED') && error.details.login !== true
  if (!isOne) throw error
}

const tooMany = () =>
  new AppError({
    kind: 'bad-input',
    code: 'REPLICATION_TOO_LARGE',
    message: `More than ${MAX_ITEMS} tags match. Narrow the patterns of the rule, or make several rules.`,
  })

const nameTooLong = (name: string) =>
  new AppError({
    kind: 'bad-input',
    code: 'REPLICATION_NAME_INVALID',
    message: `${name.slice(0, 80)} would be no name of a repository. Correct the prefix of the rule.`,
  })

const noCatalog = (remote: string, cause: unknown) =>
  new AppError({
    kind: 'bad-input',
    code: 'REPLICATION_NO_CATALOG',
    message: `${new URL(remote).host} does not list its repositories to these credentials. Name the repositories without * and ?.`,
    cause,
  })
