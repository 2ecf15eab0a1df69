-- CreateEnum
CREATE TYPE "OutgoingState" AS ENUM ('pending', 'delivered', 'failed');

-- CreateEnum
CREATE TYPE "ReplicationDirection" AS ENUM ('push', 'pull');

-- CreateEnum
CREATE TYPE "ReplicationState" AS ENUM ('queued', 'running', 'succeeded', 'failed', 'canceled');

-- AlterTable
ALTER TABLE "App" ADD COLUMN     "followTag" BOOLEAN NOT NULL DEFAULT false;

-- CreateTable
CREATE TABLE "OutgoingWebhook" (
    "id" TEXT NOT NULL,
    "organizationId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "events" TEXT[],
    "repositories" TEXT[],
    "secret" BYTEA NOT NULL,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "inside" BOOLEAN NOT NULL DEFAULT false,
    "failingSince" TIMESTAMP(3),
    "disabledReason" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "OutgoingWebhook_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "OutgoingDelivery" (
    "id" TEXT NOT NULL,
    "organizationId" TEXT NOT NULL,
    "webhookId" TEXT NOT NULL,
    "dedupeKey" TEXT,
    "kind" TEXT NOT NULL,
    "repository" TEXT,
    "body" TEXT NOT NULL,
    "state" "OutgoingState" NOT NULL DEFAULT 'pending',
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "nextAttemptAt" TIMESTAMP(3),
    "requestHeaders" JSONB,
    "status" INTEGER,
    "responseHeaders" JSONB,
    "responseBody" TEXT,
    "error" TEXT,
    "durationMs" INTEGER,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finishedAt" TIMESTAMP(3),

    CONSTRAINT "OutgoingDelivery_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ReplicationRule" (
    "id" TEXT NOT NULL,
    "organizationId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "direction" "ReplicationDirection" NOT NULL,
    "remote" TEXT NOT NULL,
    "username" TEXT,
    "password" BYTEA,
    "repositories" TEXT NOT NULL,
    "tags" TEXT NOT NULL,
    "target" TEXT NOT NULL DEFAULT '',
    "onPush" BOOLEAN NOT NULL DEFAULT false,
    "everyMinutes" INTEGER,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "inside" BOOLEAN NOT NULL DEFAULT false,
    "nextRunAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "ReplicationRule_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ReplicationRun" (
    "id" TEXT NOT NULL,
    "organizationId" TEXT NOT NULL,
    "ruleId" TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    "state" "ReplicationState" NOT NULL DEFAULT 'queued',
    "planned" BOOLEAN NOT NULL DEFAULT false,
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "heartbeatAt" TIMESTAMP(3),
    "error" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "startedAt" TIMESTAMP(3),
    "finishedAt" TIMESTAMP(3),

    CONSTRAINT "ReplicationRun_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ReplicationItem" (
    "runId" TEXT NOT NULL,
    "position" INTEGER NOT NULL,
    "source" TEXT NOT NULL,
    "target" TEXT NOT NULL,
    "digest" TEXT,
    "state" "ReplicationState" NOT NULL DEFAULT 'queued',
    "blobs" INTEGER NOT NULL DEFAULT 0,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "error" TEXT,
    "updatedAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "ReplicationItem_pkey" PRIMARY KEY ("runId","position")
);

-- CreateIndex
CREATE INDEX "OutgoingWebhook_organizationId_idx" ON "OutgoingWebhook"("organizationId");

-- CreateIndex
CREATE UNIQUE INDEX "OutgoingDelivery_dedupeKey_key" ON "OutgoingDelivery"("dedupeKey");

-- CreateIndex
CREATE INDEX "OutgoingDelivery_webhookId_id_idx" ON "OutgoingDelivery"("webhookId", "id" DESC);

-- CreateIndex
CREATE INDEX "OutgoingDelivery_state_nextAttemptAt_idx" ON "OutgoingDelivery"("state", "nextAttemptAt");

-- CreateIndex
CREATE INDEX "ReplicationRule_organizationId_idx" ON "ReplicationRule"("organizationId");

-- CreateIndex
CREATE INDEX "ReplicationRule_nextRunAt_idx" ON "ReplicationRule"("nextRunAt");

-- CreateIndex
CREATE INDEX "ReplicationRun_ruleId_id_idx" ON "ReplicationRun"("ruleId", "id" DESC);

-- CreateIndex
CREATE INDEX "ReplicationRun_state_idx" ON "ReplicationRun"("state");

-- CreateIndex
CREATE INDEX "AuditEvent_organizationId_actorLabel_id_idx" ON "AuditEvent"("organizationId", "actorLabel", "id" DESC);

-- CreateIndex
CREATE INDEX "AuditEvent_organizationId_action_id_idx" ON "AuditEvent"("organizationId", "action", "id" DESC);

-- AddForeignKey
ALTER TABLE "OutgoingWebhook" ADD CONSTRAINT "OutgoingWebhook_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "OutgoingDelivery" ADD CONSTRAINT "OutgoingDelivery_webhookId_fkey" FOREIGN KEY ("webhookId") REFERENCES "OutgoingWebhook"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ReplicationRule" ADD CONSTRAINT "ReplicationRule_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ReplicationRun" ADD CONSTRAINT "ReplicationRun_ruleId_fkey" FOREIGN KEY ("ruleId") REFERENCES "ReplicationRule"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ReplicationItem" ADD CONSTRAINT "ReplicationItem_runId_fkey" FOREIGN KEY ("runId") REFERENCES "ReplicationRun"("id") ON DELETE CASCADE ON UPDATE CASCADE;


