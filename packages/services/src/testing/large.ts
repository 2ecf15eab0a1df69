/** Rows of a large organization, for measuring what pages ask: no blob is there. `npm run seed -- large` pushes real ones. */
import type { Db, Tx } from '@slipway/db'

export interface LargeOptions {
  repositories?: number
  /** In the repository `large/history`; the others have twenty. */
  tags?: number
  /** Of a project `Bench`, which `app` names. */
  builds?: { appId: string; count: number }
  events?: number
}

/** Ids sort by time, as real ones; digests are the hash of a name, so that layers are shared: three by all, two by a repository. */
export async function fillLarge(db: Db, organizationId: string, options: LargeOptions = {}): Promise<void> {
  const { repositories = 1000, tags = 10_000, events = 50_000, builds } = options
  await db.$transaction((tx) => fill(tx, organizationId, { repositories, tags, events, builds }), { timeout: 600_000 })
  // As autovacuum does after a while: index-only scans need to know what all may see.
  await db.$executeRaw`VACUUM ANALYZE`
}

async function fill(
  tx: Tx,
  organizationId: string,
  { repositories, tags, events, builds }: Required<Omit<LargeOptions, 'builds'>> & { builds: LargeOptions['builds'] },
): Promise<void> {
  const run = (sql: string, ...values: unknown[]) => tx.$executeRawUnsafe(sql, ...values)
  await run(
    `INSERT INTO "Repository" ("id", "organizationId", "name", "visibility", "pullCount", "lastPulledAt", "lastPushedAt")
     SELECT 'rep_large' || lpad(n::text, 6, '0'), $1, CASE WHEN n = 1 THEN 'large/history' ELSE 'team-' || n % 40 || '/service-' || n END,
       (CASE WHEN n % 9 = 0 THEN 'public' ELSE 'private' END)::"Visibility", n * 7919 % 5000,
       now() - n * interval '3 hours', now() - (n * 7919 % 100000) * interval '1 minute' FROM generate_series(1, $2::int) n`,
    organizationId,
    repositories,
  )
  // One row per image: its repository, its number there.
  await run(`CREATE TEMPORARY TABLE large_image AS
    SELECT r."id" AS repository, i AS number, 'man_' || substr(r."id", 5) || lpad(i::text, 8, '0') AS id,
      'sha256:' || encode(sha256((r."id" || '/' || i)::bytea), 'hex') AS digest
    FROM "Repository" r, generate_series(1, CASE WHEN r."name" = 'large/history' THEN ${Math.trunc(tags)} ELSE 20 END) i
    WHERE r."organizationId" = '${organizationId.replaceAll("'", '')}' AND r."id" LIKE 'rep_large%'`)
  await run(
    `INSERT INTO "Manifest" ("id", "repositoryId", "organizationId", "digest", "mediaType", "content", "size", "totalSize", "configDigest", "os", "architecture", "config", "pushedBy", "createdAt")
     SELECT id, repository, $1, digest, 'application/vnd.oci.image.manifest.v1+json', '\\x7b7d', 2, 80000000 + number,
       'sha256:' || encode(sha256((id || 'config')::bytea), 'hex'), 'linux', 'amd64', '{"Cmd":["/server"]}', 'Ada', now() - number * interval '7 minutes' FROM large_image`,
    organizationId,
  )
  // In the order of pushes: the layers of an image lie side by side.
  await run(`CREATE TEMPORARY TABLE large_layer AS
    SELECT id, repository, l AS position, 'sha256:' || encode(sha256((CASE WHEN l < 3 THEN 'base' || l WHEN l < 5 THEN repository || '/' || l ELSE id || '/' || l END)::bytea), 'hex') AS digest,
      CASE WHEN l < 3 THEN 25000000 ELSE 1000000 END AS size FROM large_image, generate_series(0, 7) l ORDER BY id, l`)
  await run(`INSERT INTO "ManifestLayer" ("manifestId", "position", "digest", "mediaType", "size", "createdBy", "madeAt")
    SELECT id, position, digest, 'application/vnd.oci.image.layer.v1.tar+gzip', size, 'RUN step ' || position, now() FROM large_layer`)
  await run(`INSERT INTO "Blob" ("digest", "size") SELECT DISTINCT digest, size FROM large_layer
    UNION ALL SELECT 'sha256:' || encode(sha256((id || 'config')::bytea), 'hex'), 1500 FROM large_image`)
  await run(`INSERT INTO "RepositoryBlob" ("repositoryId", "digest", "size") SELECT DISTINCT repository, digest, size FROM large_layer
    UNION ALL SELECT repository, 'sha256:' || encode(sha256((id || 'config')::bytea), 'hex'), 1500 FROM large_image`)
  await run(`INSERT INTO "Tag" ("repositoryId", "name", "manifestId", "pushedBy", "updatedAt")
    SELECT repository, '1.' || number / 100 || '.' || number % 100, id, 'Ada', now() - number * interval '7 minutes' FROM large_image`)
  if (builds) {
    await run(
      `INSERT INTO "Build" ("id", "organizationId", "appId", "number", "state", "trigger", "actorLabel", "commitSha", "commitMessage", "manifestDigest", "queuedAt", "startedAt", "finishedAt")
       SELECT 'bld_large' || lpad(i::text, 8, '0'), $1, $2, i + 1, 'succeeded', 'push', 'Ada', encode(sha256(i::text::bytea), 'hex'), 'Change ' || i,
         (SELECT digest FROM large_image WHERE number = i LIMIT 1), now() - i * interval '7 minutes', now() - i * interval '7 minutes', now() - i * interval '6 minutes'
       FROM generate_series(1, $3::int) i`,
      organizationId,
      builds.appId,
      builds.count,
    )
  }
  await run(
    `INSERT INTO "AuditEvent" ("id", "organizationId", "actorLabel", "action", "targetType", "targetLabel", "createdAt")
     SELECT 'aud_large' || lpad(i::text, 8, '0'), $1, 'Ada', 'image.push', 'repository', 'large/history:1.' || i, now() - ($2::int - i) * interval '1 minute'
     FROM generate_series(1, $2::int) i`,
    organizationId,
    events,
  )
  await run(`DROP TABLE large_layer, large_image`)
}
