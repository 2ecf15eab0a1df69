import { notFound } from '@slipway/core'
import { findManifest, findRepositoryByName, type RepositoryRow, type Tx } from '@slipway/db'
import type { Scope } from '../scope'

export async function loadRepository(db: Tx, scope: Scope, name: string): Promise<RepositoryRow> {
  const { within } = scope
  const reached = !within || ('repository' in within && within.repository === name)
  const repository = reached && (await findRepositoryByName(db, scope.organizationId, name))
  if (!repository) throw notFound('repository', 'REPOSITORY_NOT_FOUND')
  return repository
}

/** `reference`: a tag or a digest. */
export async function loadManifest(db: Tx, scope: Scope, repository: RepositoryRow, reference: string) {
  const manifest = await findManifest(db, scope.organizationId, repository.id, reference)
  if (!manifest) throw notFound('image', 'IMAGE_NOT_FOUND')
  return manifest
}

export async function loadImage(db: Tx, scope: Scope, { repository: name, reference }: { repository: string; reference: string }) {
  const repository = await loadRepository(db, scope, name)
  return { repository, manifest: await loadManifest(db, scope, repository, reference) }
}
