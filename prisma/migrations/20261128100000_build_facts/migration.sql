-- AlterTable
ALTER TABLE "App" ADD COLUMN     "buildCpuMillis" INTEGER,
ADD COLUMN     "buildMemoryBytes" BIGINT,
ADD COLUMN     "buildPids" INTEGER,
ADD COLUMN     "buildTimeoutSeconds" INTEGER;

-- AlterTable
ALTER TABLE "Build" ADD COLUMN     "dockerfile" TEXT,
ADD COLUMN     "findings" JSONB;

-- AlterTable
ALTER TABLE "BuildStep" ADD COLUMN     "diskReadBytes" BIGINT,
ADD COLUMN     "diskWrittenBytes" BIGINT,
ADD COLUMN     "inputs" INTEGER[] DEFAULT ARRAY[]::INTEGER[],
ADD COLUMN     "unpackedSize" BIGINT,
ADD COLUMN     "waitMs" INTEGER;
