-- Manifests lie in this database, up to 4 MiB each: their bytes count in what an organization uses, and are refused with it, as blobs' are
-- (20261130004000_policies). Each row counts, as each is kept: two repositories with the same manifest have it twice.
ALTER TABLE "OrganizationUsage" ADD COLUMN "manifestBytes" BIGINT NOT NULL DEFAULT 0;
CREATE INDEX "Manifest_repositoryId_size_idx" ON "Manifest"("repositoryId", "size");

CREATE FUNCTION "slipway_count_manifests"(org TEXT, added BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
  used RECORD;
BEGIN
  IF added <= 0 THEN
    IF added < 0 THEN
      UPDATE "OrganizationUsage" SET "bytes" = GREATEST(0, "bytes" + added), "manifestBytes" = GREATEST(0, "manifestBytes" + added)
        WHERE "organizationId" = org;
    END IF;
    RETURN;
  END IF;
  INSERT INTO "OrganizationUsage" AS u ("organizationId", "bytes", "manifestBytes") VALUES (org, added, added)
    ON CONFLICT ("organizationId") DO UPDATE
      SET "bytes" = u."bytes" + EXCLUDED."bytes", "manifestBytes" = u."manifestBytes" + EXCLUDED."manifestBytes"
    RETURNING u."bytes" - added AS before, u."bytes", u."maxBytes" INTO used;
  IF used."bytes" > used."maxBytes" THEN
    RAISE EXCEPTION USING ERRCODE = 'SLQ01', MESSAGE = json_build_object(
      'what', 'bytes', 'used', used.before, 'limit', used."maxBytes", 'wanted', added, 'organizationId', org)::text;
  END IF;
END $$;

CREATE FUNCTION "slipway_manifest_bytes_added"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  part RECORD;
BEGIN
  FOR part IN SELECT "organizationId" AS org, SUM("size")::bigint AS bytes FROM added_manifests GROUP BY 1 ORDER BY 1 LOOP
    PERFORM "slipway_count_manifests"(part.org, part.bytes);
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER "count_manifests_added" AFTER INSERT ON "Manifest" REFERENCING NEW TABLE AS added_manifests
  FOR EACH STATEMENT EXECUTE FUNCTION "slipway_manifest_bytes_added"();

CREATE FUNCTION "slipway_manifest_bytes_removed"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  part RECORD;
BEGIN
  FOR part IN SELECT "organizationId" AS org, SUM("size")::bigint AS bytes FROM removed_manifests GROUP BY 1 ORDER BY 1 LOOP
    PERFORM "slipway_count_manifests"(part.org, -part.bytes);
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER "count_manifests_removed" AFTER DELETE ON "Manifest" REFERENCING OLD TABLE AS removed_manifests
  FOR EACH STATEMENT EXECUTE FUNCTION "slipway_manifest_bytes_removed"();

-- Only a repair writes it: pulls write other columns of these rows every few seconds, which asks nothing here.
CREATE FUNCTION "slipway_manifest_resized"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM "slipway_count_manifests"(NEW."organizationId", (NEW."size" - OLD."size")::bigint);
  RETURN NULL;
END $$;
CREATE TRIGGER "count_manifest_resized" AFTER UPDATE OF "size" ON "Manifest" FOR EACH ROW
  WHEN (OLD."size" IS DISTINCT FROM NEW."size") EXECUTE FUNCTION "slipway_manifest_resized"();

-- As before, and with the bytes of its manifests, whose rows are told afterwards whose they are.
CREATE OR REPLACE FUNCTION "slipway_repository_moved"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  digests TEXT[];
  manifests BIGINT;
  used RECORD;
BEGIN
  SELECT array_agg("digest") INTO digests FROM "RepositoryBlob" WHERE "repositoryId" = NEW."id";
  SELECT COALESCE(SUM("size"), 0) INTO manifests FROM "Manifest" WHERE "repositoryId" = NEW."id";
  PERFORM "slipway_drop_blobs"(OLD."organizationId", digests);
  PERFORM "slipway_count_manifests"(OLD."organizationId", -manifests);
  UPDATE "OrganizationUsage" SET "repositories" = GREATEST(0, "repositories" - 1) WHERE "organizationId" = OLD."organizationId";
  PERFORM "slipway_hold_blobs"(NEW."organizationId", digests);
  PERFORM "slipway_count_manifests"(NEW."organizationId", manifests);
  INSERT INTO "OrganizationUsage" AS u ("organizationId", "repositories") VALUES (NEW."organizationId", 1)
    ON CONFLICT ("organizationId") DO UPDATE SET "repositories" = u."repositories" + 1
    RETURNING u."repositories", u."maxRepositories" INTO used;
  IF used."repositories" > used."maxRepositories" THEN
    RAISE EXCEPTION USING ERRCODE = 'SLQ01', MESSAGE = json_build_object('what', 'repositories',
      'used', used."repositories" - 1, 'limit', used."maxRepositories", 'wanted', 1, 'organizationId', NEW."organizationId")::text;
  END IF;
  RETURN NULL;
END $$;

-- What is there already; an organization that has more than its limit now keeps it, and pushes no more.
INSERT INTO "OrganizationUsage" AS u ("organizationId", "bytes", "manifestBytes")
  SELECT "organizationId", SUM("size"), SUM("size") FROM "Manifest" GROUP BY 1
  ON CONFLICT ("organizationId") DO UPDATE SET "bytes" = u."bytes" + EXCLUDED."bytes", "manifestBytes" = EXCLUDED."manifestBytes";
