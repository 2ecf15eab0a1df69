/** What tags named before, what no tag names any more, and setting a tag back to an image that is there. */
import type { views } from '@slipway/contracts'
import { AppError, attachedByTag, notFound } from '@slipway/core'
import { appsServing, buildsOfDigests, listRetentions, listTagMoves, listUntagged, namesOfSubjects, pointTag } from '@slipway/db'
import { isTag } from '@slipway/oci'
import { commitView } from '../builds/views'
import { announce, type Deps } from '../deps'
import { underRules } from '../policies/refusals'
import { ruleFor } from '../policies/retention'
import { assertMay, mayIn } from '../roles'
import type { Scope } from '../scope'
import type { ImagesService } from '../services'
import { loadRepository } from './load'
import { buildRef, platformOf } from './views'

/** Who is no member sees the images, not what of the organization made them or runs them. */
async function madeAndRun({ db }: Deps, scope: Scope, digests: string[]) {
  const [builds, serving] = scope.outside
    ? [[], []]
    : await Promise.all([buildsOfDigests(db, scope.organizationId, digests), appsServing(db, scope.organizationId, digests)])
  const made = (digest: string, at: Date) => {
    const same = builds.filter((build) => build.manifestDigest === digest)
    // Two builds may give the same bytes: the one that had begun when they were pushed.
    const build = same.findLast((one) => one.queuedAt <= at) ?? same[0]
    return { build: build ? buildRef(build) : null, commit: build ? commitView(build) : null }
  }
  const runningIn = (digest: string) => serving.filter((app) => app.servingDeployment?.imageDigest === digest).map((app) => app.slug)
  return { made, runningIn }
}

const isText = (value: string | null): value is string => value !== null

export const historyMethod =
  (deps: Deps): ImagesService['history'] =>
  async (scope, { repository: name, tag, ...page }) => {
    const repository = await loadRepository(deps.db, scope, name)
    const { rows, next, total } = await listTagMoves(deps.db, scope.organizationId, repository.id, tag, page)
    const { made, runningIn } = await madeAndRun(deps, scope, [...new Set(rows.map((row) => row.digest).filter(isText))])
    const nameOf = await namesOfSubjects(deps.db, rows.flatMap((row) => [row.by, row.goneBy]).filter(isText))
    const who = (subject: string | null) => (subject === null ? null : nameOf(subject))
    const items = rows.map(({ id, digest, size, by, why, at, until, mediaType, goneAt, goneBy, goneWhy, previous }): views.TagMoveView => {
      const version = digest !== null && {
        digest,
        size: size === null ? null : Number(size),
        mediaType,
        gone: mediaType === null ? { at: goneAt, by: who(goneBy), why: goneWhy } : null,
        previous,
        ...made(digest, at),
        runningIn: runningIn(digest),
      }
      return { id: `${id}`, at, until, by: who(by), why, version: version || null }
    })
    return { items, next, total, mayPoint: mayIn(scope, 'push') }
  }

export const untaggedMethod =
  (deps: Deps): ImagesService['untagged'] =>
  async (scope, { repository: name, ...page }) => {
    const repository = await loadRepository(deps.db, scope, name)
    const [{ rows, next, total }, policies] = await Promise.all([
      listUntagged(deps.db, scope.organizationId, repository.id, page),
      listRetentions(deps.db, scope.organizationId),
    ])
    const digests = rows.map((row) => row.digest)
    const [{ made, runningIn }, nameOf] = await Promise.all([
      madeAndRun(deps, scope, digests),
      namesOfSubjects(
        deps.db,
        rows.map((row) => row.pushedBy),
      ),
    ])
    const items = rows.map((row): views.UntaggedView => {
      const { digest, mediaType, artifactType, pushedAt, lastPulledAt, lastTag, until } = row
      return {
        digest,
        mediaType,
        artifactType,
        platform: row.os ? platformOf(row) : null,
        size: Number(row.size),
        pushedBy: nameOf(row.pushedBy),
        pushedAt,
        lastPulledAt,
        lastTag: lastTag === null ? null : { name: lastTag, until },
        ...made(digest, pushedAt),
        runningIn: runningIn(digest),
      }
    })
    return { items, next, total, removedAfterDays: ruleFor(policies, repository)?.untaggedDays ?? null }
  }

export const pointTagMethod =
  (deps: Deps): ImagesService['pointTag'] =>
  async (scope, { repository: name, tag, digest }) => {
    assertMay(scope, 'push')
    const repository = await loadRepository(deps.db, scope, name)
    // What attaches by a tag is set by the client that signs.
    if (!isTag(tag) || attachedByTag(tag) !== undefined)
      throw new AppError({ kind: 'bad-input', code: 'TAG_INVALID', message: `${tag} is no tag of a version. Choose another name.` })
    const to = {
      repositoryId: repository.id,
      digest,
      pushedBy: scope.actor.userId ?? '',
      ...(scope.actor.ip && { address: scope.actor.ip }),
    }
    const outcome = await underRules(`${scope.organization}/${repository.name}`, () => pointTag(deps.db, tag, to))
    if (outcome === 'gone') throw notFound('image', 'IMAGE_NOT_FOUND')
    if (outcome === 'moved') announce(deps, { organizationId: scope.organizationId })
    return { moved: outcome === 'moved' }
  }
