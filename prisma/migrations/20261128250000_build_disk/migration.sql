-- AlterTable
ALTER TABLE "App" ADD COLUMN "buildDiskBytes" BIGINT;
