-- AlterTable
ALTER TABLE "App" ADD COLUMN     "volumes" TEXT[] DEFAULT ARRAY[]::TEXT[];
