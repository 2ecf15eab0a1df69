import type { Db } from '@slipway/db'
import { expect } from 'vitest'
import { parseRecordKey } from '../records/keys'
import { readManifestRecord, readRepositoryRecord, readTagRecord } from '../records/record'
import type { BlobStore } from '../store/store'

/** The store has a record of each manifest, tag and repository as the database has them, and no other. */
export async function recordsAgree(db: Db, store: BlobStore, hint = ''): Promise<void> {
  expect(await db.recordChange.count(), `${hint}: all are told`).toBe(0)
  const kept: unknown[] = []
  for await (const key of store.records()) {
    const name = parseRecordKey(key)
    if (!name) throw new Error(key)
    const { repositoryId } = name
    if (name.kind === 'repository') kept.push({ repositoryId, ...(await readRepositoryRecord(store, repositoryId)) })
    else if (name.kind === 'tag') kept.push({ repositoryId, tag: name.tag, ...(await readTagRecord(store, repositoryId, name.tag)) })
    else {
      const record = await readManifestRecord(store, repositoryId, name.digest)
      kept.push({
        repositoryId,
        digest: name.digest,
        mediaType: record?.mediaType,
        pushedBy: record?.pushedBy,
        createdAt: record?.createdAt,
      })
    }
  }
  const repositories = await db.repository.findMany({ include: { organization: true } })
  const manifests = await db.manifest.findMany()
  const tags = await db.tag.findMany({ include: { manifest: true } })
  const rows = [
    ...repositories.map(({ id, name, organization }) => ({ repositoryId: id, organization: organization.slug, name })),
    ...manifests.map(({ repositoryId, digest, mediaType, pushedBy, createdAt }) => ({
      repositoryId,
      digest,
      mediaType,
      pushedBy,
      createdAt,
    })),
    ...tags.map(({ repositoryId, name, manifest, pushedBy, createdAt }) => ({
      repositoryId,
      tag: name,
      digest: manifest.digest,
      pushedBy,
      createdAt,
    })),
  ]
  const text = (some: unknown[]) => some.map((one) => JSON.stringify(one, Object.keys(one as object).sort())).sort()
  // A push of what a tag names already changes its time alone, which its copy need not know.
  expect(text(kept.map((one) => ({ ...(one as object), updatedAt: undefined }))), hint).toEqual(text(rows))
}

/** As a crash, an operator, or a backup that was put back loses them: nobody is told. */
export async function lose(db: Db, ...statements: string[]): Promise<void> {
  const tables = ['Manifest', 'Tag', 'Repository', 'RepositoryBlob', 'Blob']
  await db.$transaction([
    ...tables.map((table) => db.$executeRawUnsafe(`ALTER TABLE "${table}" DISABLE TRIGGER USER`)),
    ...statements.map((sql) => db.$executeRawUnsafe(sql)),
    ...tables.map((table) => db.$executeRawUnsafe(`ALTER TABLE "${table}" ENABLE TRIGGER USER`)),
  ])
}
