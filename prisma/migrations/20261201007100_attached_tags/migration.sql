-- Clients that attach by a tag (cosign, podman and skopeo with sigstore; the tag schema of OCI 1.1) name the digest of what they attach
-- to in it. Such a tag is no version of an image: lists leave it out, and it goes with its image. packages/core/src/artifacts.ts has
-- the same pattern.
ALTER TABLE "Tag" ADD COLUMN "attachedTo" TEXT GENERATED ALWAYS AS (
  CASE WHEN "name" ~ '^sha256-[0-9a-f]{64}(\.(sig|att|sbom))?$' THEN 'sha256:' || substr("name", 8, 64) END
) STORED;
CREATE INDEX "Tag_repositoryId_attachedTo_idx" ON "Tag"("repositoryId", "attachedTo");
