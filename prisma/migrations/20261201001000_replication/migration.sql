-- Nothing has written to these tables before: no rule, run or item is lost.

-- AlterTable
ALTER TABLE "ReplicationRule" DROP COLUMN "repositories",
ADD COLUMN     "repositories" TEXT[],
DROP COLUMN "tags",
ADD COLUMN     "tags" TEXT[];

-- DropIndex
DROP INDEX "ReplicationRun_state_idx";

-- AlterTable
ALTER TABLE "ReplicationRun" ADD COLUMN     "actorLabel" TEXT NOT NULL,
ADD COLUMN     "cancelRequestedAt" TIMESTAMP(3),
ADD COLUMN     "dedupeKey" TEXT,
ADD COLUMN     "lost" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "notBefore" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
ADD COLUMN     "repository" TEXT,
ADD COLUMN     "tags" TEXT[];

-- AlterTable
ALTER TABLE "ReplicationItem" ADD COLUMN     "movedBlobs" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "movedBytes" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN     "skippedBlobs" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "skippedBytes" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN     "tag" TEXT NOT NULL;

-- CreateIndex
CREATE UNIQUE INDEX "ReplicationRun_dedupeKey_key" ON "ReplicationRun"("dedupeKey");

-- CreateIndex
CREATE INDEX "ReplicationRun_state_notBefore_idx" ON "ReplicationRun"("state", "notBefore");

-- CreateIndex
CREATE INDEX "ReplicationItem_runId_state_idx" ON "ReplicationItem"("runId", "state");
