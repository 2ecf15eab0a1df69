-- AlterTable
ALTER TABLE "App" ADD COLUMN     "namedContexts" JSONB NOT NULL DEFAULT '[]';
