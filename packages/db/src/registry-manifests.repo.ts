/** Manifests and tags as the registry service reads and writes them. */
import { attachedByTag, isBuildCache, newId } from '@slipway/core'
import { deleteAttached } from './attached.repo'
import type { Db, Tx } from './client'
import { directly, statement, timestamp } from './direct'
import { recordDeed, tellAttached } from './events.repo'
import { Prisma } from './generated/client'
import { assertNotInUse } from './images-in-use'
import { lockRepository, type RepositoryPath } from './registry.repo'
import { tellRemoval } from './tag-history.repo'
import { assertManifestMayGo, assertTagsMayGo, assertTagsMaySet } from './tag-rules.repo'

export interface ManifestHead {
  id: string
  repositoryId: string
  digest: string
  mediaType: string
  size: number
}

/** The same as a type, not an interface, as rows are. */
type ManifestRow = Pick<ManifestHead, keyof ManifestHead>

/** A manifest by tag or by digest (told by the colon, which tags cannot have). Null: this repository has none. */
export async function resolveManifest(db: Tx, { organization, name }: RepositoryPath, reference: string): Promise<ManifestHead | null> {
  const rows = await directly(db).query<ManifestRow>(
    reference.includes(':')
      ? statement`
        SELECT m."id", m."repositoryId", m."digest", m."mediaType", m."size"
        FROM "Organization" o
        JOIN "Repository" r ON r."organizationId" = o."id"
        JOIN "Manifest" m ON m."repositoryId" = r."id"
        WHERE o."slug" = ${organization} AND r."name" = ${name} AND m."digest" = ${reference}`
      : statement`
        SELECT m."id", m."repositoryId", m."digest", m."mediaType", m."size"
        FROM "Organization" o
        JOIN "Repository" r ON r."organizationId" = o."id"
        JOIN "Tag" t ON t."repositoryId" = r."id"
        JOIN "Manifest" m ON m."id" = t."manifestId"
        WHERE o."slug" = ${organization} AND r."name" = ${name} AND t."name" = ${reference}`,
  )
  return rows[0] ?? null
}

export async function manifestContent(db: Tx, id: string): Promise<Uint8Array | null> {
  const row = await db.manifest.findUnique({ where: { id }, select: { content: true } })
  return row?.content ?? null
}

export interface NewManifest {
  repositoryId: string
  organizationId: string
  digest: string
  mediaType: string
  artifactType?: string
  subjectDigest?: string
  annotations?: Record<string, string>
  content: Uint8Array
  /** Set for images: the blob of the configuration. */
  configDigest?: string
  os?: string
  architecture?: string
  /** config.config of the image's configuration. */
  config?: Record<string, unknown>
  pushedBy: string
  /** When it is not now. */
  createdAt?: Date
  /** Where it came from, for the audit. */
  address?: string
  layers: { digest: string; mediaType: string; size: number; diffId?: string; createdBy?: string; madeAt?: Date }[]
  children: { digest: string; os?: string; architecture?: string; variant?: string }[]
  /** Blobs that must be linked by the repository, with the size that the manifest claims. */
  needsBlobs: { digest: string; size: number }[]
  /** Tags to set: one for a push by tag; none, or what the client named besides, for a push by digest. */
  tags: readonly string[]
}

export type PutManifest =
  | { outcome: 'stored' }
  | { outcome: 'repository-gone' }
  | { outcome: 'missing'; blobs: string[] }
  | { outcome: 'wrong-size'; digest: string; size: number }

class Refused extends Error {
  constructor(readonly result: PutManifest) {
    super(result.outcome)
  }
}

/** The manifest, its layers and children, and its tag become visible together or not at all. Throws TagRuleError. */
export async function putManifest(db: Db, input: NewManifest): Promise<PutManifest> {
  try {
    await db.$transaction((tx) => store(tx, input), { maxWait: 15_000, timeout: 30_000 })
    return { outcome: 'stored' }
  } catch (error) {
    if (error instanceof Refused) return error.result
    throw error
  }
}

async function store(tx: Tx, input: NewManifest): Promise<void> {
  const { repositoryId, digest } = input
  const now = new Date()
  if (!(await lockRepository(tx, repositoryId))) throw new Refused({ outcome: 'repository-gone' })
  await assertTagsMaySet(tx, { ...input, sub: input.pushedBy, artifactType: input.artifactType })
  // Statements written out, here and below: Prisma makes a plan for each of its own, which a push would wait for.
  const ask = directly(tx)
  await ask.query(statement`UPDATE "Repository" SET "lastPushedAt" = ${timestamp(now)}::timestamp WHERE "id" = ${repositoryId}`)
  const blobs = await holdBlobs(tx, input, now)
  const children = await childSizes(tx, input)
  if (blobs.missing.length > 0) throw new Refused({ outcome: 'missing', blobs: blobs.missing })

  const [known] = await ask.query<{ id: string }>(statement`
    SELECT "id" FROM "Manifest" WHERE "repositoryId" = ${repositoryId} AND "digest" = ${digest}`)
  const manifestId = known?.id ?? newId('manifest')
  if (!known) {
    const total = children.reduce((sum, size) => sum + size, BigInt(blobs.total + input.content.byteLength))
    await insertManifest(tx, manifestId, input, total)
    await recountIndexes(tx, repositoryId, digest)
  } else {
    // Heals a row that was damaged; one that is right is not written.
    const content = new Uint8Array(input.content)
    await tx.$executeRaw`UPDATE "Manifest" SET "content" = ${content} WHERE "id" = ${manifestId} AND "content" <> ${content}`
  }
  const moved: string[] = []
  for (const tag of input.tags) if (await setTag(tx, tag, manifestId, input, now)) moved.push(tag)
  await tellPush(tx, input, moved, known !== undefined)
  const subjects = [...(known ? [] : [input.subjectDigest]), ...moved.map(attachedByTag)].filter((digest) => digest !== undefined)
  if (subjects.length > 0 && !isBuildCache(input)) await tellAttached(tx, { repositoryId, sub: input.pushedBy, subjects })
}

type Pushed = Pick<NewManifest, 'repositoryId' | 'digest' | 'mediaType' | 'artifactType' | 'pushedBy' | 'address'>

/**
 * Sets a tag to a manifest that is there, as a push of that manifest would: by the same rules, told to the same. Throws TagRuleError.
 * `gone`: the repository has none with this digest.
 */
export const pointTag = (db: Db, tag: string, to: Omit<Pushed, 'mediaType' | 'artifactType'>): Promise<'moved' | 'same' | 'gone'> =>
  db.$transaction(async (tx) => {
    const { repositoryId, digest, pushedBy } = to
    await lockRepository(tx, repositoryId)
    const known = await tx.manifest.findUnique({
      where: { repositoryId_digest: { repositoryId, digest } },
      select: { id: true, mediaType: true, artifactType: true },
    })
    if (!known) return 'gone'
    const pushed = { ...to, mediaType: known.mediaType, artifactType: known.artifactType ?? undefined }
    await assertTagsMaySet(tx, { ...pushed, tags: [tag], sub: pushedBy })
    const now = new Date()
    if (!(await setTag(tx, tag, known.id, pushed, now))) return 'same'
    await tx.repository.update({ where: { id: repositoryId }, data: { lastPushedAt: now } })
    await tellPush(tx, pushed, [tag], true)
    return 'moved'
  })

/**
 * A push that changed nothing is not told. Untold, too: a build's cache, and what the worker attaches or puts beneath an index,
 * since the tag that the build sets says it all. Webhooks hear of tags that name a version only; the audit has every manifest that
 * people pushed.
 */
async function tellPush(tx: Tx, input: Pushed, moved: string[], known: boolean): Promise<void> {
  const { repositoryId, digest, mediaType, artifactType, pushedBy, address } = input
  if (isBuildCache(input)) return
  if (moved.length === 0 && (known || pushedBy.startsWith('system:'))) return
  await recordDeed(tx, {
    repositoryId,
    sub: pushedBy,
    address,
    action: 'image.push',
    suffix: moved.length > 0 ? `:${moved.join(', ').slice(0, 300)}` : `@${digest}`,
    data: { digest, tags: moved, mediaType, ...(artifactType !== undefined && { artifactType }) },
    ...(moved.some((tag) => attachedByTag(tag) === undefined) && { kind: 'push' as const }),
  })
}

/** Of those children that are there. */
async function childSizes(tx: Tx, { repositoryId, children }: NewManifest): Promise<bigint[]> {
  if (children.length === 0) return []
  const digests = children.map((child) => child.digest)
  const rows = await directly(tx).query<{ size: string }>(statement`
    SELECT "totalSize"::text AS size FROM "Manifest" WHERE "repositoryId" = ${repositoryId} AND "digest" = ANY(${digests}::text[])`)
  return rows.map(({ size }) => BigInt(size))
}

/** Whether the tag names another manifest than before. */
async function setTag(tx: Tx, name: string, manifestId: string, { repositoryId, pushedBy }: Pushed, now: Date): Promise<boolean> {
  const ask = directly(tx)
  const at = timestamp(now)
  const [before] = await ask.query<{ id: string; artifactType: string | null; pushedBy: string }>(statement`
    SELECT m."id", m."artifactType", m."pushedBy" FROM "Tag" t JOIN "Manifest" m ON m."id" = t."manifestId"
    WHERE t."repositoryId" = ${repositoryId} AND t."name" = ${name}`)
  await ask.query(statement`
    INSERT INTO "Tag" ("repositoryId", "name", "manifestId", "pushedBy", "createdAt", "updatedAt")
    VALUES (${repositoryId}, ${name}, ${manifestId}, ${pushedBy}, ${at}::timestamp, ${at}::timestamp)
    ON CONFLICT ("repositoryId", "name") DO UPDATE
    SET "manifestId" = EXCLUDED."manifestId", "pushedBy" = EXCLUDED."pushedBy", "updatedAt" = EXCLUDED."updatedAt"`)
  // Each build leaves a new one, and nobody asks for an old one by its digest: what only it named is the collector's.
  if (before && isBuildCache(before))
    await tx.manifest.deleteMany({ where: { id: before.id, NOT: { id: manifestId }, tags: { none: {} } } })
  return before?.id !== manifestId
}

/** An index may come before its children do: with each that arrives, the sizes of those that name it are summed again. */
export async function recountIndexes(tx: Tx, repositoryId: string, arrived: string): Promise<void> {
  for (let level = [arrived]; level.length > 0; ) {
    const rows = await tx.$queryRaw<{ digest: string }[]>`
      UPDATE "Manifest" p SET "totalSize" = p."size" + (
        SELECT COALESCE(SUM(m."totalSize"), 0)::bigint FROM "Manifest" m
        WHERE m."repositoryId" = p."repositoryId"
          AND m."digest" IN (SELECT c."digest" FROM "ManifestChild" c WHERE c."manifestId" = p."id"))
        + (SELECT COALESCE(SUM(y."size"), 0)::bigint
           FROM (SELECT DISTINCT l."digest", l."size" FROM "ManifestLayer" l WHERE l."manifestId" = p."id") y)
      WHERE p."repositoryId" = ${repositoryId}
        AND p."id" IN (SELECT c."manifestId" FROM "ManifestChild" c WHERE c."digest" IN (${Prisma.join(level)}))
      RETURNING p."digest"`
    // Digests make no circles, so this ends.
    level = rows.map((row) => row.digest)
  }
}

/**
 * Tells which of the needed blobs the repository links. Writes seenAt, not just reads: a collector that waits for these
 * rows looks again after us, and leaves them.
 */
async function holdBlobs(tx: Tx, { repositoryId, needsBlobs }: NewManifest, now: Date) {
  const digests = [...new Set(needsBlobs.map((b) => b.digest))]
  if (digests.length === 0) return { missing: [], total: 0 }
  const rows = await tx.$queryRaw<{ digest: string; size: bigint }[]>`
    UPDATE "RepositoryBlob" l SET "seenAt" = ${now} FROM "Blob" b
    WHERE b."digest" = l."digest" AND b."damagedAt" IS NULL
      AND l."repositoryId" = ${repositoryId} AND l."digest" IN (${Prisma.join(digests)})
    RETURNING l."digest", b."size"`
  const sizes = new Map(rows.map((row) => [row.digest, Number(row.size)]))
  for (const { digest, size } of needsBlobs) {
    const real = sizes.get(digest)
    if (real !== undefined && real !== size) throw new Refused({ outcome: 'wrong-size', digest, size: real })
  }
  return {
    missing: digests.filter((d) => !sizes.has(d)),
    total: [...sizes.values()].reduce((sum, size) => sum + size, 0),
  }
}

/** The row and its layers and children, without asking for any blob. */
export async function insertManifest(
  tx: Tx,
  id: string,
  input: Omit<NewManifest, 'needsBlobs' | 'tags'>,
  totalSize: bigint,
): Promise<void> {
  await tx.manifest.create({
    data: {
      id,
      repositoryId: input.repositoryId,
      organizationId: input.organizationId,
      digest: input.digest,
      mediaType: input.mediaType,
      artifactType: input.artifactType,
      subjectDigest: input.subjectDigest,
      annotations: input.annotations,
      content: new Uint8Array(input.content),
      size: input.content.byteLength,
      totalSize,
      configDigest: input.configDigest,
      os: input.os,
      architecture: input.architecture,
      config: input.config as Prisma.InputJsonObject | undefined,
      pushedBy: input.pushedBy,
      createdAt: input.createdAt,
    },
  })
  if (input.layers.length > 0) {
    await tx.manifestLayer.createMany({ data: input.layers.map((layer, position) => ({ ...layer, manifestId: id, position })) })
  }
  if (input.children.length > 0) {
    await tx.manifestChild.createMany({ data: input.children.map((child, position) => ({ ...child, manifestId: id, position })) })
  }
}

/** Deletes the manifest with all its tags; throws TagRuleError and ImageInUseError. False: the repository has none with this digest. */
export async function deleteManifest(db: Db, repositoryId: string, digest: string, by: DeletedBy): Promise<boolean> {
  return db.$transaction(async (tx) => {
    await lockRepository(tx, repositoryId)
    await assertManifestMayGo(tx, repositoryId, digest, by.sub)
    await assertNotInUse(tx, repositoryId, digest, by.sub)
    const tags = await tx.tag.findMany({ where: { repositoryId, manifest: { digest } }, select: { name: true }, take: 1000 })
    await tellRemoval(tx, by.sub, 'image')
    const deleted = (await tx.manifest.deleteMany({ where: { repositoryId, digest } })).count > 0
    if (!deleted) return false
    await deleteAttached(tx, repositoryId, digest)
    const data = { digest, tags: tags.map((tag) => tag.name) }
    await recordDeed(tx, { repositoryId, ...by, action: 'image.delete', suffix: `@${digest}`, data, kind: 'delete' })
    return true
  })
}

export interface DeletedBy {
  sub: string
  address?: string
}

/** Deletes the tag only; throws TagRuleError. */
export const deleteTag = (db: Db, repositoryId: string, name: string, by: DeletedBy): Promise<boolean> =>
  db.$transaction(async (tx) => {
    await assertTagsMayGo(tx, repositoryId, [name], by.sub)
    const tag = await tx.tag.findUnique({
      where: { repositoryId_name: { repositoryId, name } },
      select: { manifest: { select: { digest: true } } },
    })
    await tellRemoval(tx, by.sub, 'tag')
    if (!tag || (await tx.tag.deleteMany({ where: { repositoryId, name } })).count === 0) return false
    const data = { digest: tag.manifest.digest, tags: [name] }
    await recordDeed(tx, { repositoryId, ...by, action: 'tag.delete', suffix: `:${name}`, data, kind: 'delete' })
    return true
  })
