import { OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import { AppError, notFound } from '@slipway/core'
import {
  appsServing,
  assertManifestMayGo,
  assertNotInUse,
  assertTagsMayGo,
  buildsOfDigests,
  emitEvent,
  findChildManifests,
  findParentIndex,
  layerHolders,
  listRepositories,
  listTags,
  lockRepository,
  namesOfSubjects,
  type RepositoryRow,
  removeImageManifest,
  removeImageTag,
  repositoryFacts,
  type Tx,
} from '@slipway/db'
import { audit } from '../audit'
import { commitView } from '../builds/views'
import { announce, type Deps } from '../deps'
import { underRules } from '../policies/refusals'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { ImagesService } from '../services'
import { archiveMethod } from './archive'
import { attachmentsOf } from './attachments'
import { documentOf, provenanceOf, sbomOf } from './attestations'
import { loadImage, loadManifest, loadRepository } from './load'
import { historyMethod, pointTagMethod, untaggedMethod } from './tag-history'
import { buildRef, imageView, platformOf } from './views'

export const createImages = (deps: Deps): ImagesService => {
  const { db } = deps

  async function repositoryViews(scope: Scope, rows: RepositoryRow[]): Promise<views.RepositoryView[]> {
    const ids = rows.map((row) => row.id)
    const facts = await repositoryFacts(db, scope.organizationId, ids)
    return rows.map((row) => ({
      name: row.name,
      reference: `${OWN_REGISTRY_HOST}/${scope.organization}/${row.name}`,
      visibility: row.visibility,
      description: facts.get(row.id)?.description ?? '',
      labels: facts.get(row.id)?.labels ?? {},
      tags: facts.get(row.id)?.tags ?? 0,
      size: facts.get(row.id)?.size ?? 0,
      lastPushedAt: row.lastPushedAt,
      lastPulledAt: row.lastPulledAt,
      pulls: row.pullCount,
      runningIn: scope.outside ? [] : (facts.get(row.id)?.runningIn ?? []),
    }))
  }

  return {
    async repositories(scope, input) {
      const { rows, next, total } = await listRepositories(db, scope.organizationId, input)
      return { items: await repositoryViews(scope, rows), next, total }
    },

    async repository(scope, input) {
      const [view] = await repositoryViews(scope, [await loadRepository(db, scope, input.repository)])
      if (!view) throw notFound('repository', 'REPOSITORY_NOT_FOUND')
      return view
    },

    async tags(scope, input) {
      const repository = await loadRepository(db, scope, input.repository)
      const { rows, next, total } = await listTags(db, scope.organizationId, repository.id, input)
      const digests = rows.map((row) => row.manifest.digest)
      // Who is no member sees the image, not the apps that made it or run it.
      const [builds, serving] = scope.outside
        ? [[], []]
        : await Promise.all([buildsOfDigests(db, scope.organizationId, digests), appsServing(db, scope.organizationId, digests)])
      const nameOf = await namesOfSubjects(
        db,
        rows.map((row) => row.pushedBy),
      )
      const items = rows.map(({ name, manifest, layers, pushedBy, updatedAt, pullCount, lastPulledAt }): views.TagView => {
        const build = builds.findLast((row) => row.manifestDigest === manifest.digest)
        return {
          name,
          digest: manifest.digest,
          mediaType: manifest.mediaType,
          platforms: manifest.children.length > 0 ? manifest.children.map(platformOf) : manifest.os ? [platformOf(manifest)] : [],
          size: Number(manifest.totalSize),
          layers,
          pushedBy: nameOf(pushedBy),
          pushedAt: updatedAt,
          pulls: pullCount,
          lastPulledAt,
          build: build ? buildRef(build) : null,
          commit: build ? commitView(build) : null,
          runningIn: serving.filter((app) => app.servingDeployment?.imageDigest === manifest.digest).map((app) => app.slug),
        }
      })
      return { items, next, total }
    },

    async get(scope, input) {
      const repository = await loadRepository(db, scope, input.repository)
      const manifest = await loadManifest(db, scope, repository, input.reference)
      const index = await findParentIndex(db, scope.organizationId, repository.id, manifest.digest)
      const [holders, builds, serving, children] = await Promise.all([
        layerHolders(
          db,
          scope.organizationId,
          manifest.layers.map((layer) => layer.digest),
        ),
        // A build of several platforms gives the index.
        buildsOfDigests(db, scope.organizationId, [manifest.digest, ...(index ? [index.digest] : [])]),
        appsServing(db, scope.organizationId, [manifest.digest]),
        findChildManifests(
          db,
          scope.organizationId,
          repository.id,
          manifest.children.map((child) => child.digest),
        ),
      ])
      const nameOf = await namesOfSubjects(db, [manifest.pushedBy])
      const pushedBy = nameOf(manifest.pushedBy)
      return imageView(deps.config, scope, repository.name, {
        reference: input.reference,
        manifest,
        pushedBy,
        holders,
        build: builds.at(-1) ?? null,
        serving,
        children,
        index,
      })
    },

    history: historyMethod(deps),
    untagged: untaggedMethod(deps),
    pointTag: pointTagMethod(deps),
    archive: archiveMethod(deps),
    sbom: async (scope, input) => sbomOf(deps, scope, await loadImage(db, scope, input)),
    provenance: async (scope, input) => provenanceOf(deps, scope, await loadImage(db, scope, input)),
    attached: async (scope, input) => attachmentsOf(deps, scope, await loadImage(db, scope, input)),
    attestation: async (scope, input) => documentOf(deps, scope, await loadImage(db, scope, input), input.kind),

    async delete(scope, input) {
      assertMay(scope, 'change')
      const repository = await loadRepository(db, scope, input.repository)
      const manifest = await loadManifest(db, scope, repository, input.reference)
      const byDigest = input.reference === manifest.digest
      const label = `${repository.name}${byDigest ? '@' : ':'}${input.reference}`
      const remove = async (tx: Tx) => {
        const by = scope.actor.userId ?? ''
        // As the registry does: a push to these tags waits, or is waited for.
        await lockRepository(tx, repository.id)
        await (byDigest
          ? assertManifestMayGo(tx, repository.id, manifest.digest, by)
          : assertTagsMayGo(tx, repository.id, [input.reference], by))
        if (byDigest) {
          await assertNotInUse(tx, repository.id, manifest.digest, by)
          const parent = await findParentIndex(tx, scope.organizationId, repository.id, manifest.digest)
          if (parent)
            throw new AppError({
              kind: 'conflict',
              code: 'IMAGE_IN_INDEX',
              message: `This image is one platform of the index ${parent.digest}. Delete that one first.`,
            })
          await removeImageManifest(tx, scope.organizationId, repository.id, manifest.digest, by)
        } else await removeImageTag(tx, scope.organizationId, repository.id, input.reference, by)
        await audit(tx, scope, byDigest ? 'image.delete' : 'tag.delete', { type: 'repository', id: repository.id, label })
        const gone = { digest: manifest.digest, tags: byDigest ? manifest.tags.map((tag) => tag.name) : [input.reference] }
        await emitEvent(tx, scope.organizationId, { kind: 'delete', repository: repository.name, actor: scope.actor.label, data: gone })
        return { tags: byDigest ? manifest.tags.map((tag) => tag.name) : [input.reference], manifest: byDigest ? manifest.digest : null }
      }
      const removed = await underRules(`${scope.organization}/${repository.name}`, () => db.$transaction(remove))
      announce(deps, { organizationId: scope.organizationId })
      return removed
    },
  }
}
