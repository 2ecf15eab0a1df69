-- The store keeps a copy of each manifest and of what each tag names, so that they can be made again from it (slipway registry verify).
-- Whoever changes one says so here in the same statement, whichever process it is; the registry writes the copies and takes these rows
-- away (apps/registry/src/records). A copy without a row in "Manifest" or "Tag", and without one here, is of something that was lost.
CREATE TABLE "RecordChange" (
    "id" BIGSERIAL NOT NULL,
    "repositoryId" TEXT NOT NULL,
    "digest" TEXT,
    "tag" TEXT,

    CONSTRAINT "RecordChange_pkey" PRIMARY KEY ("id")
);

CREATE FUNCTION "slipway_manifests_changed"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "RecordChange" ("repositoryId", "digest") SELECT c."repositoryId", c."digest" FROM changed c;
  RETURN NULL;
END $$;
CREATE TRIGGER "records_manifests_made" AFTER INSERT ON "Manifest" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION "slipway_manifests_changed"();
CREATE TRIGGER "records_manifests_gone" AFTER DELETE ON "Manifest" REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION "slipway_manifests_changed"();

CREATE FUNCTION "slipway_tags_changed"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "RecordChange" ("repositoryId", "tag") SELECT c."repositoryId", c."name" FROM changed c;
  RETURN NULL;
END $$;
CREATE TRIGGER "records_tags_made" AFTER INSERT ON "Tag" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION "slipway_tags_changed"();
CREATE TRIGGER "records_tags_gone" AFTER DELETE ON "Tag" REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION "slipway_tags_changed"();

-- By row: pulls are counted in "Tag" all the time, and a trigger by statement cannot be for one column.
CREATE FUNCTION "slipway_tag_changed"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "RecordChange" ("repositoryId", "tag") VALUES (NEW."repositoryId", NEW."name");
  RETURN NULL;
END $$;
CREATE TRIGGER "records_tag_moved" AFTER UPDATE OF "manifestId" ON "Tag" FOR EACH ROW
  WHEN (OLD."manifestId" <> NEW."manifestId") EXECUTE FUNCTION "slipway_tag_changed"();

CREATE FUNCTION "slipway_repository_changed"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "RecordChange" ("repositoryId") VALUES (COALESCE(NEW."id", OLD."id"));
  RETURN NULL;
END $$;
CREATE TRIGGER "records_repository_made" AFTER INSERT OR DELETE ON "Repository" FOR EACH ROW
  EXECUTE FUNCTION "slipway_repository_changed"();
CREATE TRIGGER "records_repository_moved" AFTER UPDATE OF "name", "organizationId" ON "Repository" FOR EACH ROW
  WHEN (OLD."name" <> NEW."name" OR OLD."organizationId" <> NEW."organizationId") EXECUTE FUNCTION "slipway_repository_changed"();

CREATE FUNCTION "slipway_organization_renamed"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "RecordChange" ("repositoryId") SELECT r."id" FROM "Repository" r WHERE r."organizationId" = NEW."id";
  RETURN NULL;
END $$;
CREATE TRIGGER "records_organization_renamed" AFTER UPDATE OF "slug" ON "Organization" FOR EACH ROW
  WHEN (OLD."slug" <> NEW."slug") EXECUTE FUNCTION "slipway_organization_renamed"();

-- Of what is there already, copies are made at the next start.
INSERT INTO "RecordChange" ("repositoryId") SELECT "id" FROM "Repository" ORDER BY "id";
INSERT INTO "RecordChange" ("repositoryId", "digest") SELECT "repositoryId", "digest" FROM "Manifest" ORDER BY "repositoryId", "id";
INSERT INTO "RecordChange" ("repositoryId", "tag") SELECT "repositoryId", "name" FROM "Tag" ORDER BY "repositoryId", "name";
