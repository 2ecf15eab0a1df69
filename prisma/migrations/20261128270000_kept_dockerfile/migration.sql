-- CreateEnum
CREATE TYPE "InspectionState" AS ENUM ('queued', 'running', 'succeeded', 'failed', 'canceled');

-- AlterTable
ALTER TABLE "App" ADD COLUMN     "keptDockerfile" JSONB;

-- AlterTable
ALTER TABLE "Build" ADD COLUMN     "dockerfileOrigin" JSONB;

-- CreateTable
CREATE TABLE "Inspection" (
    "id" TEXT NOT NULL,
    "organizationId" TEXT NOT NULL,
    "gitUrl" TEXT NOT NULL,
    "gitBranch" TEXT NOT NULL,
    "gitToken" BYTEA,
    "state" "InspectionState" NOT NULL DEFAULT 'queued',
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "heartbeatAt" TIMESTAMP(3),
    "cancelRequestedAt" TIMESTAMP(3),
    "progress" TEXT,
    "result" JSONB,
    "errorCode" TEXT,
    "errorMessage" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "startedAt" TIMESTAMP(3),
    "finishedAt" TIMESTAMP(3),

    CONSTRAINT "Inspection_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "Inspection_organizationId_createdAt_idx" ON "Inspection"("organizationId", "createdAt");

-- CreateIndex
CREATE INDEX "Inspection_state_idx" ON "Inspection"("state");

-- AddForeignKey
ALTER TABLE "Inspection" ADD CONSTRAINT "Inspection_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;
