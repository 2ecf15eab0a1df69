-- AlterTable
ALTER TABLE "App" ADD COLUMN     "platforms" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- AlterTable
ALTER TABLE "BuildStep" ADD COLUMN     "platform" TEXT;
