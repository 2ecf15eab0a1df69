-- CreateEnum
CREATE TYPE "ImageFormat" AS ENUM ('oci_gzip', 'oci_zstd', 'docker_gzip');

-- AlterTable
ALTER TABLE "App" ADD COLUMN     "imageFormat" "ImageFormat" NOT NULL DEFAULT 'oci_gzip',
ADD COLUMN     "reproducible" BOOLEAN NOT NULL DEFAULT false;
