-- When it was told that what is inside an image was read; null: to be told. Images from before are not told of.
ALTER TABLE "Manifest" ADD COLUMN "contentsReadAt" TIMESTAMP(3);
UPDATE "Manifest" SET "contentsReadAt" = "createdAt";
-- Only what waits is looked at, each few seconds.
CREATE INDEX "Manifest_contentsReadAt_idx" ON "Manifest"("createdAt") WHERE "contentsReadAt" IS NULL;
