-- Which tags have been gone for so long that their histories may go (packages/db/src/tag-history.repo.ts).
CREATE INDEX "TagMove_removed_idx" ON "TagMove"("at") WHERE "digest" IS NULL;
