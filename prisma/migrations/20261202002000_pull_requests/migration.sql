-- Pull requests are built, without being published or deployed. Those of forks get no secrets and write no cache.
ALTER TYPE "Trigger" ADD VALUE 'pull_request';

ALTER TABLE "App" ADD COLUMN "buildPullRequests" BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE "Build" ADD COLUMN "pullRequest" INTEGER,
ADD COLUMN "pullRequestTitle" TEXT,
ADD COLUMN "pullRequestRef" TEXT,
ADD COLUMN "fromFork" BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX "Build_appId_pullRequest_idx" ON "Build"("appId", "pullRequest");
