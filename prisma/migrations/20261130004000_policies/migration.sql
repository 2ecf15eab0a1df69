CREATE TABLE "OrganizationUsage" (
    "organizationId" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "repositories" INTEGER NOT NULL DEFAULT 0,
    "maxBytes" BIGINT,
    "maxRepositories" INTEGER,
    "refusedAt" TIMESTAMP(3),
    "toldLevel" INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT "OrganizationUsage_pkey" PRIMARY KEY ("organizationId"),
    CONSTRAINT "OrganizationUsage_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE "OrganizationBlob" (
    "organizationId" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "links" INTEGER NOT NULL,
    CONSTRAINT "OrganizationBlob_pkey" PRIMARY KEY ("organizationId", "digest"),
    CONSTRAINT "OrganizationBlob_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TYPE "TagRuleKind" AS ENUM ('immutable', 'protected');
CREATE TABLE "TagRule" (
    "id" TEXT NOT NULL,
    "organizationId" TEXT NOT NULL,
    "repositoryId" TEXT,
    "kind" "TagRuleKind" NOT NULL,
    "repositories" TEXT NOT NULL DEFAULT '*',
    "tags" TEXT NOT NULL,
    "builds" BOOLEAN NOT NULL DEFAULT false,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "TagRule_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "TagRule_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "TagRule_repositoryId_fkey" FOREIGN KEY ("repositoryId") REFERENCES "Repository"("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "TagRule_organizationId_idx" ON "TagRule"("organizationId");
CREATE INDEX "TagRule_repositoryId_idx" ON "TagRule"("repositoryId");
CREATE TABLE "RetentionPolicy" (
    "id" TEXT NOT NULL,
    "organizationId" TEXT NOT NULL,
    "repositoryId" TEXT,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "repositories" TEXT NOT NULL DEFAULT '*',
    "keepLast" INTEGER,
    "keepUsedDays" INTEGER,
    "keepTags" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "keepDeployments" INTEGER NOT NULL DEFAULT 10,
    "untaggedDays" INTEGER,
    "updatedAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "RetentionPolicy_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "RetentionPolicy_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "RetentionPolicy_repositoryId_fkey" FOREIGN KEY ("repositoryId") REFERENCES "Repository"("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "RetentionPolicy_repositoryId_key" ON "RetentionPolicy"("repositoryId");
CREATE INDEX "RetentionPolicy_organizationId_idx" ON "RetentionPolicy"("organizationId");
CREATE TABLE "RetentionSchedule" (
    "organizationId" TEXT NOT NULL,
    "minute" INTEGER NOT NULL,
    "nextAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "RetentionSchedule_pkey" PRIMARY KEY ("organizationId"),
    CONSTRAINT "RetentionSchedule_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "RetentionSchedule_nextAt_idx" ON "RetentionSchedule"("nextAt");
CREATE TABLE "RetentionRun" (
    "id" TEXT NOT NULL,
    "organizationId" TEXT NOT NULL,
    "actorLabel" TEXT,
    "startedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "heartbeatAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finishedAt" TIMESTAMP(3),
    "repositories" INTEGER NOT NULL DEFAULT 0,
    "tags" INTEGER NOT NULL DEFAULT 0,
    "manifests" INTEGER NOT NULL DEFAULT 0,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "removed" JSONB NOT NULL DEFAULT '[]',
    "errorMessage" TEXT,
    CONSTRAINT "RetentionRun_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "RetentionRun_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "RetentionRun_organizationId_startedAt_idx" ON "RetentionRun"("organizationId", "startedAt" DESC);
CREATE INDEX "RetentionRun_finishedAt_idx" ON "RetentionRun"("finishedAt");
CREATE TABLE "RepositoryAbout" (
    "repositoryId" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "readme" TEXT NOT NULL DEFAULT '',
    "labels" JSONB NOT NULL DEFAULT '{}',
    "updatedAt" TIMESTAMP(3) NOT NULL,
    "updatedBy" TEXT NOT NULL,
    CONSTRAINT "RepositoryAbout_pkey" PRIMARY KEY ("repositoryId"),
    CONSTRAINT "RepositoryAbout_repositoryId_fkey" FOREIGN KEY ("repositoryId") REFERENCES "Repository"("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE "RepositoryRedirect" (
    "organizationId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "repositoryId" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "RepositoryRedirect_pkey" PRIMARY KEY ("organizationId", "name"),
    CONSTRAINT "RepositoryRedirect_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "RepositoryRedirect_repositoryId_fkey" FOREIGN KEY ("repositoryId") REFERENCES "Repository"("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "RepositoryRedirect_repositoryId_idx" ON "RepositoryRedirect"("repositoryId");
-- One policy of the organization itself.
CREATE UNIQUE INDEX "RetentionPolicy_of_organization" ON "RetentionPolicy"("organizationId") WHERE "repositoryId" IS NULL;

-- Counts the unique blobs of an organization with every link, whoever writes it, and refuses in the same transaction what
-- would pass the organization's limit: its row is locked from there to the commit, so that two pushes never pass it together.
-- Rows of blobs are locked in the order of their digests, then the organization's: nobody waits in a circle.
CREATE FUNCTION "slipway_hold_blobs"(org TEXT, wanted TEXT[]) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
  added BIGINT;
  used RECORD;
BEGIN
  WITH held AS (
    INSERT INTO "OrganizationBlob" AS o ("organizationId", "digest", "size", "links")
    SELECT org, b."digest", b."size", 1 FROM "Blob" b WHERE b."digest" = ANY(wanted) ORDER BY b."digest"
    ON CONFLICT ("organizationId", "digest") DO UPDATE SET "links" = o."links" + 1
    -- xmax is 0 in a row that was inserted, not updated.
    RETURNING o."size", (o.xmax = 0) AS fresh
  ) SELECT COALESCE(SUM("size"), 0) INTO added FROM held WHERE fresh;
  IF added = 0 THEN RETURN; END IF;
  INSERT INTO "OrganizationUsage" AS u ("organizationId", "bytes") VALUES (org, added)
    ON CONFLICT ("organizationId") DO UPDATE SET "bytes" = u."bytes" + EXCLUDED."bytes"
    RETURNING u."bytes" - added AS before, u."bytes", u."maxBytes" INTO used;
  IF used."bytes" > used."maxBytes" THEN
    RAISE EXCEPTION USING ERRCODE = 'SLQ01', MESSAGE = json_build_object(
      'what', 'bytes', 'used', used.before, 'limit', used."maxBytes", 'wanted', added, 'organizationId', org)::text;
  END IF;
END $$;

CREATE FUNCTION "slipway_drop_blobs"(org TEXT, gone TEXT[]) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
  freed BIGINT;
BEGIN
  PERFORM 1 FROM "OrganizationBlob" WHERE "organizationId" = org AND "digest" = ANY(gone) ORDER BY "digest" FOR UPDATE;
  UPDATE "OrganizationBlob" SET "links" = "links" - 1 WHERE "organizationId" = org AND "digest" = ANY(gone);
  WITH removed AS (
    DELETE FROM "OrganizationBlob" WHERE "organizationId" = org AND "digest" = ANY(gone) AND "links" <= 0 RETURNING "size"
  ) SELECT COALESCE(SUM("size"), 0) INTO freed FROM removed;
  IF freed > 0 THEN
    UPDATE "OrganizationUsage" SET "bytes" = GREATEST(0, "bytes" - freed) WHERE "organizationId" = org;
  END IF;
END $$;

CREATE FUNCTION "slipway_links_added"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  part RECORD;
BEGIN
  FOR part IN
    SELECT r."organizationId" AS org, array_agg(a."digest") AS digests
    FROM added_links a JOIN "Repository" r ON r."id" = a."repositoryId" GROUP BY r."id" ORDER BY r."id"
  LOOP
    PERFORM "slipway_hold_blobs"(part.org, part.digests);
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER "count_links_added" AFTER INSERT ON "RepositoryBlob" REFERENCING NEW TABLE AS added_links
  FOR EACH STATEMENT EXECUTE FUNCTION "slipway_links_added"();

CREATE FUNCTION "slipway_links_removed"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  part RECORD;
BEGIN
  FOR part IN
    SELECT r."organizationId" AS org, array_agg(d."digest") AS digests
    FROM removed_links d JOIN "Repository" r ON r."id" = d."repositoryId" GROUP BY r."id" ORDER BY r."id"
  LOOP
    PERFORM "slipway_drop_blobs"(part.org, part.digests);
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER "count_links_removed" AFTER DELETE ON "RepositoryBlob" REFERENCING OLD TABLE AS removed_links
  FOR EACH STATEMENT EXECUTE FUNCTION "slipway_links_removed"();

CREATE FUNCTION "slipway_repository_added"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  used RECORD;
BEGIN
  INSERT INTO "OrganizationUsage" AS u ("organizationId", "repositories") VALUES (NEW."organizationId", 1)
    ON CONFLICT ("organizationId") DO UPDATE SET "repositories" = u."repositories" + 1
    RETURNING u."repositories", u."maxRepositories" INTO used;
  IF used."repositories" > used."maxRepositories" THEN
    RAISE EXCEPTION USING ERRCODE = 'SLQ01', MESSAGE = json_build_object('what', 'repositories',
      'used', used."repositories" - 1, 'limit', used."maxRepositories", 'wanted', 1, 'organizationId', NEW."organizationId")::text;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "count_repository_added" AFTER INSERT ON "Repository" FOR EACH ROW EXECUTE FUNCTION "slipway_repository_added"();

-- Its links go first, while its row still tells whose they are.
CREATE FUNCTION "slipway_repository_leaves"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM "RepositoryBlob" WHERE "repositoryId" = OLD."id";
  UPDATE "OrganizationUsage" SET "repositories" = GREATEST(0, "repositories" - 1) WHERE "organizationId" = OLD."organizationId";
  RETURN OLD;
END $$;
CREATE TRIGGER "count_repository_leaves" BEFORE DELETE ON "Repository" FOR EACH ROW EXECUTE FUNCTION "slipway_repository_leaves"();

CREATE FUNCTION "slipway_repository_moved"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  digests TEXT[];
  used RECORD;
BEGIN
  SELECT array_agg("digest") INTO digests FROM "RepositoryBlob" WHERE "repositoryId" = NEW."id";
  PERFORM "slipway_drop_blobs"(OLD."organizationId", digests);
  UPDATE "OrganizationUsage" SET "repositories" = GREATEST(0, "repositories" - 1) WHERE "organizationId" = OLD."organizationId";
  PERFORM "slipway_hold_blobs"(NEW."organizationId", digests);
  INSERT INTO "OrganizationUsage" AS u ("organizationId", "repositories") VALUES (NEW."organizationId", 1)
    ON CONFLICT ("organizationId") DO UPDATE SET "repositories" = u."repositories" + 1
    RETURNING u."repositories", u."maxRepositories" INTO used;
  IF used."repositories" > used."maxRepositories" THEN
    RAISE EXCEPTION USING ERRCODE = 'SLQ01', MESSAGE = json_build_object('what', 'repositories',
      'used', used."repositories" - 1, 'limit', used."maxRepositories", 'wanted', 1, 'organizationId', NEW."organizationId")::text;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "count_repository_moved" AFTER UPDATE OF "organizationId" ON "Repository" FOR EACH ROW
  WHEN (OLD."organizationId" IS DISTINCT FROM NEW."organizationId") EXECUTE FUNCTION "slipway_repository_moved"();

-- What is there already.
INSERT INTO "OrganizationBlob" ("organizationId", "digest", "size", "links")
  SELECT r."organizationId", l."digest", b."size", count(*) FROM "RepositoryBlob" l
  JOIN "Repository" r ON r."id" = l."repositoryId" JOIN "Blob" b ON b."digest" = l."digest" GROUP BY 1, 2, 3;
INSERT INTO "OrganizationUsage" ("organizationId", "bytes", "repositories")
  SELECT o."id", COALESCE((SELECT SUM("size") FROM "OrganizationBlob" x WHERE x."organizationId" = o."id"), 0),
    (SELECT count(*) FROM "Repository" r WHERE r."organizationId" = o."id") FROM "Organization" o;
