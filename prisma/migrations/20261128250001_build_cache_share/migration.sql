-- CreateEnum
CREATE TYPE "BuildCacheShare" AS ENUM ('off', 'image', 'all');

-- AlterTable
ALTER TABLE "App" ADD COLUMN "buildCacheShare" "BuildCacheShare" NOT NULL DEFAULT 'image';
