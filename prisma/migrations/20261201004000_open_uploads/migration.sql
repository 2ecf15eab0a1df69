-- Open uploads are counted by organization when another one begins.
CREATE INDEX "Upload_organizationId_idx" ON "Upload"("organizationId");
