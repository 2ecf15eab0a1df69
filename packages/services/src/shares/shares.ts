import { createHash, randomBytes } from 'node:crypto'
import type { views } from '@slipway/contracts'
import { AppError, notFound } from '@slipway/core'
import {
  countShares,
  createShare,
  findChildManifests,
  findLiveShare,
  findManifest,
  findShare,
  forgetShares,
  listShares,
  revokeShare,
  type Share,
} from '@slipway/db'
import { audit } from '../audit'
import { type Deps, registryHost } from '../deps'
import { pullCommands } from '../images/commands'
import { loadImage, loadRepository } from '../images/load'
import { platformOf } from '../images/views'
import { assertMay } from '../roles'
import type { SharesService } from './service'

const TOKEN = /^sls_[A-Za-z0-9_-]{43}$/
const HOUR_MS = 60 * 60 * 1000
const FORGOTTEN_AFTER_MS = 30 * 24 * HOUR_MS
/** Of one organization, at a time. */
const MAX_SHARES = 500

const hashOf = (token: string) => createHash('sha256').update(token).digest('hex')

export const createShares = ({ db, config }: Pick<Deps, 'db' | 'config'>): SharesService => ({
  async list(scope, input) {
    assertMay(scope, 'change')
    const { repository, manifest } = await loadImage(db, scope, input)
    return (await listShares(db, scope.organizationId, repository.id, manifest.digest)).map(toView)
  },

  async create(scope, input) {
    assertMay(scope, 'change')
    const { repository, manifest } = await loadImage(db, scope, input)
    const token = `sls_${randomBytes(32).toString('base64url')}`
    const tag = input.reference.includes(':') ? (manifest.tags[0]?.name ?? null) : input.reference
    const expiresAt = new Date(Date.now() + input.expiresInHours * HOUR_MS)
    const share = await db.$transaction(async (tx) => {
      await forgetShares(tx, scope.organizationId, new Date(Date.now() - FORGOTTEN_AFTER_MS))
      if ((await countShares(tx, scope.organizationId)) >= MAX_SHARES)
        throw new AppError({
          kind: 'conflict',
          code: 'TOO_MANY_SHARES',
          message: `An organization has at most ${MAX_SHARES} links at a time. Revoke one that is not needed any more.`,
        })
      const created = await createShare(tx, {
        organizationId: scope.organizationId,
        repositoryId: repository.id,
        digest: manifest.digest,
        tag,
        prefix: token.slice(4, 12),
        hash: hashOf(token),
        createdBy: scope.actor.label,
        expiresAt,
      })
      const label = labelOf(repository.name, created)
      const data = { digest: manifest.digest, expiresAt: expiresAt.toISOString() }
      await audit(tx, scope, 'share.create', { type: 'share', id: created.id, label }, data)
      return created
    })
    return { url: `${config.webUrl}/s/${token}`, view: toView(share) }
  },

  async revoke(scope, { id }) {
    assertMay(scope, 'change')
    return db.$transaction(async (tx) => {
      const found = await findShare(tx, scope.organizationId, id)
      // The role may hold on one repository only.
      if (found) await loadRepository(tx, scope, found.repository.name)
      const share = found && (await revokeShare(tx, scope.organizationId, id))
      if (!share) throw notFound('link', 'SHARE_NOT_FOUND')
      await audit(tx, scope, 'share.revoke', { type: 'share', id, label: labelOf(share.repository.name, share) })
      return toView(share)
    })
  },

  async open(token) {
    const share = TOKEN.test(token) ? await findLiveShare(db, hashOf(token)) : null
    const manifest = share && (await findManifest(db, share.organizationId, share.repositoryId, share.digest))
    if (!share || !manifest) return null
    const { organization } = share.repository
    const repository = `${organization.slug}/${share.repository.name}`
    const digests = manifest.children.map((child) => child.digest)
    const children = new Map((await findChildManifests(db, share.organizationId, share.repositoryId, digests)).map((c) => [c.digest, c]))
    const size = Number(manifest.totalSize)
    // Attestations lie in an index beside its images, as children of an unknown platform.
    const images = manifest.children.filter((child) => child.os && child.os !== 'unknown')
    return {
      organization: organization.name,
      repository,
      tag: share.tag,
      digest: share.digest,
      platforms:
        images.length > 0
          ? images.map((child) => ({
              platform: platformOf(child),
              digest: child.digest,
              size: Number(children.get(child.digest)?.totalSize ?? 0),
            }))
          : manifest.os
            ? [{ platform: platformOf(manifest), digest: share.digest, size }]
            : [],
      layers: manifest.layers.map((layer) => ({ digest: layer.digest, size: Number(layer.size), createdBy: layer.createdBy })),
      size,
      createdAt: manifest.layers.findLast((layer) => layer.madeAt !== null)?.madeAt ?? null,
      sharedAt: share.createdAt,
      sharedBy: share.createdBy,
      expiresAt: share.expiresAt,
      commands: {
        login: `echo ${token} | docker login ${registryHost(config)} -u share --password-stdin`,
        ...pullCommands(config, { path: repository, reference: `@${share.digest}` }, `share:${token}`),
      },
    }
  },
})

const labelOf = (repository: string, { tag, digest }: Pick<Share, 'tag' | 'digest'>) =>
  tag === null ? `${repository}@${digest.slice(0, 19)}` : `${repository}:${tag}`

const toView = ({ id, prefix, tag, createdBy, createdAt, expiresAt, pullCount, lastPulledAt }: Share): views.ShareView => ({
  id,
  prefix: `sls_${prefix}…`,
  tag,
  createdBy,
  createdAt,
  expiresAt,
  pulls: pullCount,
  lastPulledAt,
})
