CREATE TYPE "LayerIndexState" AS ENUM ('ready', 'refused', 'failed');

CREATE TABLE "LayerIndex" (
    "digest" TEXT NOT NULL,
    "state" "LayerIndexState" NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "error" TEXT,
    "entries" INTEGER NOT NULL DEFAULT 0,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "document" BYTEA,
    "names" BIGINT[],
    "updatedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "LayerIndex_pkey" PRIMARY KEY ("digest")
);

CREATE TABLE "LayerPackage" (
    "digest" TEXT NOT NULL,
    "position" INTEGER NOT NULL,
    "type" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "licence" TEXT,
    "path" TEXT NOT NULL,

    CONSTRAINT "LayerPackage_pkey" PRIMARY KEY ("digest","position")
);

-- Packed and random already: trying to compress them costs time and gains nothing.
ALTER TABLE "LayerIndex" ALTER COLUMN "document" SET STORAGE EXTERNAL;
ALTER TABLE "LayerIndex" ALTER COLUMN "names" SET STORAGE EXTERNAL;

-- Without fast update: a list of pending entries would make the first question after a large layer pay for it.
CREATE INDEX "LayerIndex_names_idx" ON "LayerIndex" USING GIN ("names") WITH (fastupdate = off);
CREATE INDEX "LayerPackage_name_idx" ON "LayerPackage" ("name" text_pattern_ops);

ALTER TABLE "LayerIndex" ADD CONSTRAINT "LayerIndex_digest_fkey" FOREIGN KEY ("digest") REFERENCES "Blob"("digest") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "LayerPackage" ADD CONSTRAINT "LayerPackage_digest_fkey" FOREIGN KEY ("digest") REFERENCES "LayerIndex"("digest") ON DELETE CASCADE ON UPDATE CASCADE;
