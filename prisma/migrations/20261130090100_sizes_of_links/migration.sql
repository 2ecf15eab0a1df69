ALTER TABLE "RepositoryBlob" ADD COLUMN "size" BIGINT;
UPDATE "RepositoryBlob" l SET "size" = b."size" FROM "Blob" b WHERE b."digest" = l."digest";
ALTER TABLE "RepositoryBlob" ALTER COLUMN "size" SET NOT NULL;
CREATE INDEX "RepositoryBlob_repositoryId_size_idx" ON "RepositoryBlob"("repositoryId", "size");
CREATE INDEX "Manifest_repositoryId_artifactType_idx" ON "Manifest"("repositoryId", "artifactType");
CREATE INDEX "Tag_repositoryId_updatedAt_name_idx" ON "Tag"("repositoryId", "updatedAt" DESC, "name");
CREATE INDEX "Build_organizationId_manifestDigest_idx" ON "Build"("organizationId", "manifestDigest");
