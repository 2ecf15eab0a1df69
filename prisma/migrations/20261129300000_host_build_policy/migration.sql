-- AlterTable
ALTER TABLE "Host" ADD COLUMN     "buildPolicy" JSONB;
