CREATE TABLE "Upstream" (
    "id" TEXT NOT NULL,
    "host" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "username" TEXT,
    "secret" BYTEA,
    "allowPrivate" BOOLEAN NOT NULL DEFAULT false,
    "anonymous" BOOLEAN NOT NULL DEFAULT false,
    "limitBytes" BIGINT NOT NULL,
    "revalidateMinutes" INTEGER NOT NULL DEFAULT 5,
    "hits" BIGINT NOT NULL DEFAULT 0,
    "misses" BIGINT NOT NULL DEFAULT 0,
    "fetchedBytes" BIGINT NOT NULL DEFAULT 0,
    "lastContactAt" TIMESTAMP(3),
    "lastError" TEXT,
    "lastErrorAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Upstream_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "UpstreamShare" (
    "upstreamId" TEXT NOT NULL,
    "organizationId" TEXT NOT NULL,

    CONSTRAINT "UpstreamShare_pkey" PRIMARY KEY ("upstreamId","organizationId")
);

CREATE UNIQUE INDEX "Upstream_host_key" ON "Upstream"("host");
CREATE INDEX "UpstreamShare_organizationId_idx" ON "UpstreamShare"("organizationId");

ALTER TABLE "UpstreamShare" ADD CONSTRAINT "UpstreamShare_upstreamId_fkey" FOREIGN KEY ("upstreamId") REFERENCES "Upstream"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "UpstreamShare" ADD CONSTRAINT "UpstreamShare_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What every image name without a host means; 20 GiB.
INSERT INTO "Upstream" ("id", "host", "url", "limitBytes") VALUES ('ups_dockerhub', 'docker.io', 'https://registry-1.docker.io', 21474836480);
