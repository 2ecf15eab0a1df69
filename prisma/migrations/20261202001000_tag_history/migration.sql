-- What each tag named, one after the other. The database writes it, as whatever sets, moves or removes a tag (a push, a build, a copy, a
-- rule, a manifest that takes its tags along) does so in "Tag": none of them can forget it, and a push waits for no statement more.
CREATE TABLE "TagMove" (
    "id" BIGSERIAL NOT NULL,
    "repositoryId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "digest" TEXT,
    "size" BIGINT,
    "by" TEXT,
    "why" TEXT,
    "at" TIMESTAMP(3) NOT NULL,
    "goneAt" TIMESTAMP(3),
    "goneBy" TEXT,
    "goneWhy" TEXT,

    CONSTRAINT "TagMove_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "TagMove_repositoryId_name_id_idx" ON "TagMove"("repositoryId", "name", "id" DESC);
CREATE INDEX "TagMove_repositoryId_digest_idx" ON "TagMove"("repositoryId", "digest");
ALTER TABLE "TagMove" ADD CONSTRAINT "TagMove_repositoryId_fkey" FOREIGN KEY ("repositoryId") REFERENCES "Repository"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Who removes, and why, as the transaction says it (packages/db/src/tag-history.repo.ts); the setting is empty in one that says nothing.
CREATE FUNCTION "slipway_said"(what TEXT) RETURNS TEXT LANGUAGE sql STABLE AS $$
  SELECT NULLIF(current_setting('slipway.' || what, true), '')
$$;

-- A build leaves a new cache each time under the same tag; it is no image, and no list shows it.
CREATE FUNCTION "slipway_tag_set"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "TagMove" ("repositoryId", "name", "digest", "size", "by", "at")
  SELECT NEW."repositoryId", NEW."name", m."digest", m."totalSize", NEW."pushedBy", NEW."updatedAt" FROM "Manifest" m
  WHERE m."id" = NEW."manifestId" AND NOT (m."artifactType" IS NOT DISTINCT FROM 'application/vnd.slipway.build-cache.v1'
    AND m."pushedBy" LIKE 'system:%' AND m."pushedBy" <> 'system:replication');
  IF FOUND THEN
    DELETE FROM "TagMove" t WHERE t."repositoryId" = NEW."repositoryId" AND t."name" = NEW."name" AND t."id" <= (
      SELECT k."id" FROM "TagMove" k WHERE k."repositoryId" = NEW."repositoryId" AND k."name" = NEW."name"
      ORDER BY k."id" DESC OFFSET 200 LIMIT 1);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "tag_history_made" AFTER INSERT ON "Tag" FOR EACH ROW
  WHEN (NEW."attachedTo" IS NULL) EXECUTE FUNCTION "slipway_tag_set"();
CREATE TRIGGER "tag_history_moved" AFTER UPDATE OF "manifestId" ON "Tag" FOR EACH ROW
  WHEN (NEW."attachedTo" IS NULL AND OLD."manifestId" <> NEW."manifestId") EXECUTE FUNCTION "slipway_tag_set"();

-- With its repository a history goes too: nothing is written of tags that go so.
CREATE FUNCTION "slipway_tags_removed"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "TagMove" ("repositoryId", "name", "by", "why", "at")
  SELECT g."repositoryId", g."name", "slipway_said"('by'), "slipway_said"('why'), clock_timestamp() AT TIME ZONE 'UTC' FROM gone_tags g
  WHERE g."attachedTo" IS NULL AND EXISTS (SELECT 1 FROM "Repository" r WHERE r."id" = g."repositoryId") AND (
    SELECT k."digest" FROM "TagMove" k WHERE k."repositoryId" = g."repositoryId" AND k."name" = g."name" ORDER BY k."id" DESC LIMIT 1
  ) IS NOT NULL;
  IF FOUND THEN
    DELETE FROM "TagMove" t USING gone_tags g CROSS JOIN LATERAL (
      SELECT k."id" FROM "TagMove" k WHERE k."repositoryId" = g."repositoryId" AND k."name" = g."name"
      ORDER BY k."id" DESC OFFSET 200 LIMIT 1
    ) o WHERE t."repositoryId" = g."repositoryId" AND t."name" = g."name" AND t."id" <= o."id";
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "tag_history_removed" AFTER DELETE ON "Tag" REFERENCING OLD TABLE AS gone_tags
  FOR EACH STATEMENT EXECUTE FUNCTION "slipway_tags_removed"();

-- What became of a version that a tag named once.
CREATE FUNCTION "slipway_manifests_removed"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  UPDATE "TagMove" t SET "goneAt" = clock_timestamp() AT TIME ZONE 'UTC', "goneBy" = "slipway_said"('by'), "goneWhy" = "slipway_said"('why')
  FROM gone_manifests g WHERE t."repositoryId" = g."repositoryId" AND t."digest" = g."digest"
    AND EXISTS (SELECT 1 FROM "Repository" r WHERE r."id" = g."repositoryId");
  RETURN NULL;
END $$;
CREATE TRIGGER "tag_history_gone" AFTER DELETE ON "Manifest" REFERENCING OLD TABLE AS gone_manifests
  FOR EACH STATEMENT EXECUTE FUNCTION "slipway_manifests_removed"();

-- So that no history begins empty: what the tags name today.
INSERT INTO "TagMove" ("repositoryId", "name", "digest", "size", "by", "at")
SELECT t."repositoryId", t."name", m."digest", m."totalSize", t."pushedBy", t."updatedAt" FROM "Tag" t JOIN "Manifest" m ON m."id" = t."manifestId"
WHERE t."attachedTo" IS NULL AND NOT (m."artifactType" IS NOT DISTINCT FROM 'application/vnd.slipway.build-cache.v1'
  AND m."pushedBy" LIKE 'system:%' AND m."pushedBy" <> 'system:replication')
ORDER BY t."updatedAt", t."repositoryId", t."name";
