-- AlterEnum
ALTER TYPE "AppSource" ADD VALUE 'upload';

-- AlterEnum
ALTER TYPE "Trigger" ADD VALUE 'upload';

-- AlterTable
ALTER TABLE "Build" ADD COLUMN     "deploys" BOOLEAN NOT NULL DEFAULT true,
ADD COLUMN     "upload" JSONB,
ADD COLUMN     "uploadSecrets" BYTEA;
