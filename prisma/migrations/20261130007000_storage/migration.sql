-- AlterTable
ALTER TABLE "Blob" ADD COLUMN     "damagedAt" TIMESTAMP(3),
ADD COLUMN     "verifiedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP;

-- What is there was verified when it was pushed.
UPDATE "Blob" SET "verifiedAt" = "createdAt";

-- AlterTable
ALTER TABLE "Upload" ADD COLUMN     "bytes" BIGINT NOT NULL DEFAULT 0;

-- CreateEnum
CREATE TYPE "StoreVerificationState" AS ENUM ('queued', 'running', 'done', 'failed', 'cancelled');

-- CreateTable
CREATE TABLE "BlobDamage" (
    "id" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "foundBy" TEXT NOT NULL,
    "foundAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "actual" TEXT,
    "keptAs" TEXT,
    "repairedAt" TIMESTAMP(3),
    "repairedBy" TEXT,

    CONSTRAINT "BlobDamage_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "StoreVerification" (
    "id" TEXT NOT NULL,
    "requestedBy" TEXT NOT NULL,
    "repair" BOOLEAN NOT NULL DEFAULT false,
    "bytesPerSecond" BIGINT,
    "state" "StoreVerificationState" NOT NULL DEFAULT 'queued',
    "phase" TEXT NOT NULL DEFAULT 'blobs',
    "cursor" TEXT NOT NULL DEFAULT '',
    "blobs" INTEGER NOT NULL DEFAULT 0,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "files" INTEGER NOT NULL DEFAULT 0,
    "manifests" INTEGER NOT NULL DEFAULT 0,
    "totalBlobs" INTEGER NOT NULL DEFAULT 0,
    "totalBytes" BIGINT NOT NULL DEFAULT 0,
    "totalManifests" INTEGER NOT NULL DEFAULT 0,
    "found" INTEGER NOT NULL DEFAULT 0,
    "repaired" INTEGER NOT NULL DEFAULT 0,
    "problems" JSONB NOT NULL DEFAULT '[]',
    "error" TEXT,
    "holder" TEXT,
    "leaseUntil" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "startedAt" TIMESTAMP(3),
    "finishedAt" TIMESTAMP(3),

    CONSTRAINT "StoreVerification_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "BlobStoreState" (
    "id" TEXT NOT NULL DEFAULT 'store',
    "kind" TEXT NOT NULL,
    "freeBytes" BIGINT,
    "totalBytes" BIGINT,
    "blobs" INTEGER NOT NULL,
    "blobBytes" BIGINT NOT NULL,
    "strays" INTEGER NOT NULL,
    "strayBytes" BIGINT NOT NULL,
    "uploads" INTEGER NOT NULL,
    "uploadBytes" BIGINT NOT NULL,
    "quarantined" INTEGER NOT NULL,
    "quarantinedBytes" BIGINT NOT NULL,
    "countedAt" TIMESTAMP(3) NOT NULL,
    "scrubHolder" TEXT,
    "scrubLeaseUntil" TIMESTAMP(3),

    CONSTRAINT "BlobStoreState_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "Blob_verifiedAt_idx" ON "Blob"("verifiedAt");

-- CreateIndex
CREATE INDEX "BlobDamage_digest_idx" ON "BlobDamage"("digest");

-- CreateIndex
CREATE INDEX "BlobDamage_foundAt_idx" ON "BlobDamage"("foundAt");

-- CreateIndex
CREATE INDEX "StoreVerification_createdAt_idx" ON "StoreVerification"("createdAt");
