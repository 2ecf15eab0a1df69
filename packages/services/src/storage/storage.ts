/** Where every byte of the registry is, what the collector would take, and whether everything is still what was pushed. */
import type { views } from '@slipway/contracts'
import { AppError, notFound } from '@slipway/core'
import {
  BLOB_USES,
  cancelVerification,
  createVerification,
  damagedBlobs,
  findVerification,
  installationStorage,
  largestImages,
  lastVerifiedAt,
  latestDamages,
  latestVerifications,
  openUploads,
  organizationStorage,
  storeState,
} from '@slipway/db'
import { audit } from '../audit'
import type { Deps } from '../deps'
import { assertRunsHosts, mayRunHosts } from '../hosts/operator'
import type { Scope } from '../scope'
import { Counted } from './counted'
import type { StorageService } from './service'
import { goesAt, uploadGoesAt, verificationView } from './views'

const MIB = 1024 ** 2
const LARGEST = 10
const UPLOADS = 50
const DAMAGES = 50
const VERIFICATIONS = 5

export const createStorage = (deps: Deps): StorageService => {
  const { db } = deps
  const organizations = new Counted((organizationId) => organizationStorage(db, organizationId))
  const largest = new Counted((organizationId) => largestImages(db, organizationId, LARGEST))
  const installation = new Counted(() => installationStorage(db))

  const find = async (scope: Scope, id: string) => {
    await assertRunsHosts(db, scope)
    const row = await findVerification(db, id)
    if (!row) throw notFound('verification', 'VERIFICATION_NOT_FOUND')
    return row
  }

  return {
    async get(scope) {
      const { organizationId } = scope
      const [{ value, asOf }, images, uploads, damaged, lastVerified, runsStore] = await Promise.all([
        organizations.get(organizationId),
        largest.get(organizationId),
        openUploads(db, organizationId, 0),
        damagedBlobs(db, organizationId, DAMAGES),
        lastVerifiedAt(db),
        mayRunHosts(db, scope),
      ])
      const sum = (of: 'blobs' | 'bytes') => BLOB_USES.reduce((total, use) => total + value.uses[use][of], 0)
      return {
        asOf,
        total: { blobs: sum('blobs'), bytes: sum('bytes') + value.manifests.bytes },
        uses: value.uses,
        withoutSharing: value.repositories.reduce((total, repository) => total + repository.bytes, 0),
        repositories: value.repositories.length,
        manifests: value.manifests,
        uploads: { count: uploads.count, bytes: uploads.bytes },
        sharedLayers: value.sharedLayers,
        largest: images.value,
        damaged,
        lastVerified,
        runsStore,
      }
    },

    async repositories(scope, { by, cursor, limit }) {
      const { value } = await organizations.get(scope.organizationId)
      const sorted = value.repositories.toSorted((a, b) => b[by] - a[by] || (a.name < b.name ? -1 : 1))
      const start = cursor ? sorted.findIndex((one) => one.name === cursor) + 1 : 0
      const items = sorted.slice(start, start + limit)
      const more = start + limit < sorted.length
      return { items, next: more ? (items.at(-1)?.name ?? null) : null, total: sorted.length }
    },

    async collectable(scope) {
      const [{ value }, { uploads }] = await Promise.all([
        organizations.get(scope.organizationId),
        openUploads(db, scope.organizationId, UPLOADS),
      ])
      return {
        total: value.uses.unused,
        items: value.collectable.map(({ seenAt, ...rest }): views.CollectableView => ({ ...rest, goesAt: goesAt(seenAt) })),
        uploads: uploads.map(({ startedBy: _who, ...upload }) => ({ ...upload, goesAt: uploadGoesAt(upload.updatedAt) })),
      }
    },

    async installation(scope) {
      await assertRunsHosts(db, scope)
      const [{ value, asOf }, state, damages, verifications] = await Promise.all([
        installation.get(''),
        storeState(db),
        latestDamages(db, DAMAGES),
        latestVerifications(db, VERIFICATIONS),
      ])
      const number = (bytes: bigint | null) => (bytes === null ? null : Number(bytes))
      return {
        asOf,
        ...value,
        store: state && {
          kind: state.kind,
          freeBytes: number(state.freeBytes),
          totalBytes: number(state.totalBytes),
          strays: state.strays,
          strayBytes: Number(state.strayBytes),
          uploads: state.uploads,
          uploadBytes: Number(state.uploadBytes),
          quarantined: state.quarantined,
          quarantinedBytes: Number(state.quarantinedBytes),
          countedAt: state.countedAt,
        },
        damages: damages.map(({ actual: _actual, ...damage }) => ({ ...damage, size: Number(damage.size) })),
        verifications: verifications.map(verificationView),
      }
    },

    async verify(scope, { repair, mibPerSecond }) {
      await assertRunsHosts(db, scope)
      const bytesPerSecond = mibPerSecond === undefined ? null : Math.ceil(mibPerSecond * MIB)
      const row = await createVerification(db, { requestedBy: scope.actor.label, repair, bytesPerSecond }, (tx, id) =>
        audit(tx, scope, 'registry.verify', { type: 'registry', id, label: 'registry' }, { repair }),
      )
      if (row) return verificationView(row)
      const message = 'A verification is under way already. Wait for its end, or cancel it.'
      throw new AppError({ kind: 'conflict', code: 'VERIFICATION_RUNS', message })
    },

    verification: async (scope, input) => verificationView(await find(scope, input.id)),

    async cancelVerification(scope, input) {
      const row = await find(scope, input.id)
      await db.$transaction(async (tx) => {
        if (await cancelVerification(tx, row.id))
          await audit(tx, scope, 'registry.verifyCancel', { type: 'registry', id: row.id, label: 'registry' })
      })
      return verificationView(await find(scope, input.id))
    },
  }
}
