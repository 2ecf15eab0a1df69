import { OWN_REGISTRY_HOST } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { appsFollowingTags, findOrganization, newestDeployment } from '@slipway/db'
import { ownReference, resolveImage } from '../apps/image-reference'
import { audit } from '../audit'
import type { Deps } from '../deps'
import type { Scope } from '../scope'
import { announceCreated, environmentOf, insertDeployment, lockedApp, settingsOf } from './create'

export interface MovedTags {
  organizationId: string
  /** Name without the organization. */
  repository: string
  tags: readonly string[]
  /** Who pushed, in words. */
  by: string
}

/**
 * Deploys the apps "from image" that follow one of the tags: the digest that the tag has now, once. A push that is told twice,
 * or late, finds it deployed already.
 */
export async function deployFollowers(deps: Deps, moved: MovedTags): Promise<{ id: string; app: string; number: number }[]> {
  const { organizationId } = moved
  const organization = await findOrganization(deps.db, organizationId)
  if (!organization) return []
  const actor = { userId: null, label: moved.by, ip: null }
  const scope: Scope = { organizationId, organization: organization.slug, role: 'developer', actor }
  const made: { id: string; app: string; number: number }[] = []
  for (const app of await appsFollowingTags(deps.db, organizationId)) {
    const tag = tagFollowed(deps, app.imageReference ?? '', `${organization.slug}/${moved.repository}`)
    if (tag === null || !moved.tags.includes(tag)) continue
    const created = await deps.db.$transaction(async (tx) => {
      const locked = await lockedApp(tx, organizationId, app.id)
      if (!locked.followTag || locked.desiredState !== 'running' || locked.imageReference !== app.imageReference) return null
      const { reference, digest } = await resolveImage(deps, scope, locked.imageReference ?? '')
      const newest = await newestDeployment(tx, organizationId, app.id)
      if (digest === null || newest?.imageDigest === digest) return null
      const now = new Date()
      const deployment = await insertDeployment(deps, tx, locked, {
        kind: 'deploy',
        trigger: 'push',
        actorLabel: moved.by,
        buildId: null,
        sourceDeploymentId: null,
        imageReference: reference,
        imageDigest: digest,
        settings: settingsOf(locked),
        environment: environmentOf(deps, locked.variables),
        hops: {
          push: { state: 'done', proof: `${moved.by} pushed ${moved.repository}:${tag}`, startedAt: now, finishedAt: now, durationMs: 0 },
          build: { state: 'skipped' },
          publish: { state: 'skipped' },
        },
      })
      const because = { number: deployment.number, pushed: `${moved.repository}:${tag}`, digest }
      await audit(tx, scope, 'deployment.create', { type: 'app', id: app.id, label: locked.name }, because)
      return deployment
    })
    if (!created) continue
    await announceCreated(deps, { id: app.id, organizationId }, created)
    made.push({ id: created.id, app: app.slug, number: created.number })
  }
  return made
}

/** The tag by which an app names an image of this repository; null when it names another, or a digest, which never moves. */
function tagFollowed(deps: Deps, written: string, path: string): string | null {
  const reference = ownReference(deps, written)
  if (reference.registry !== OWN_REGISTRY_HOST || reference.repository !== path || reference.digest !== undefined) return null
  return reference.tag ?? 'latest'
}

/** Throws TAG_NOT_FOLLOWED unless the image is named by a tag in this organization's part of the registry: only there is a push heard of. */
export function assertFollowable(deps: Deps, scope: Scope, written: string): void {
  const { registry, repository, digest } = ownReference(deps, written)
  const own = registry === OWN_REGISTRY_HOST && repository.startsWith(`${scope.organization}/`)
  if (own && digest === undefined) return
  throw new AppError({
    kind: 'bad-input',
    code: 'TAG_NOT_FOLLOWED',
    message: own
      ? 'This image is named by its digest, which never moves. Name a tag, or turn following off.'
      : `Only tags of ${OWN_REGISTRY_HOST}/${scope.organization}/… can be followed. Name one of these, or turn following off.`,
  })
}
