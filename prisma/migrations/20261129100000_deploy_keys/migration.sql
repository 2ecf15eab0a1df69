-- AlterTable
ALTER TABLE "App" ADD COLUMN     "deployKey" BYTEA,
ADD COLUMN     "deployKeyPublic" TEXT;

-- CreateTable
CREATE TABLE "KnownHost" (
    "id" TEXT NOT NULL,
    "organizationId" TEXT NOT NULL,
    "host" TEXT NOT NULL,
    "keyType" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "KnownHost_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "KnownHost_organizationId_host_keyType_key" ON "KnownHost"("organizationId", "host", "keyType");

-- AddForeignKey
ALTER TABLE "KnownHost" ADD CONSTRAINT "KnownHost_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;
