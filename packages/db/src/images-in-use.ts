/** What keeps an image from being deleted while it runs: its container would not start again after a failure. */

import type { Tx } from './client'
import { Prisma } from './generated/client'
import { findMemberOfUser } from './members.repo'
import { RUNNING_DEPLOYMENT_STATES } from './states'

const SHOWN = 5

/** Thrown in the transaction of the delete, which ends with it. */
export class ImageInUseError extends Error {
  /** `apps`: some of their slugs; none for somebody who is not to know them. */
  constructor(readonly apps: string[]) {
    super('the image is in use')
  }
}

/** Throws ImageInUseError for an image that an app serves or is about to, itself or as a part of an index. `sub`: of the token. */
export async function assertNotInUse(tx: Tx, repositoryId: string, digest: string, sub: string): Promise<void> {
  const rows = await tx.$queryRaw<{ organizationId: string; slug: string }[]>`
    WITH RECURSIVE needs("digest", "organizationId") AS (
      SELECT m."digest", m."organizationId" FROM "Manifest" m WHERE m."repositoryId" = ${repositoryId} AND m."digest" = ${digest}
      UNION
      SELECT p."digest", p."organizationId" FROM needs n JOIN "ManifestChild" c ON c."digest" = n."digest"
      JOIN "Manifest" p ON p."id" = c."manifestId" AND p."repositoryId" = ${repositoryId}
    )
    SELECT DISTINCT a."organizationId", a."slug" FROM "App" a JOIN "Deployment" d ON d."appId" = a."id"
      AND (d."id" = a."servingDeploymentId" OR d."state"::text IN (${Prisma.join(RUNNING_DEPLOYMENT_STATES)}))
    WHERE a."organizationId" IN (SELECT n."organizationId" FROM needs n) AND a."deletedAt" IS NULL
      AND d."imageDigest" IN (SELECT n."digest" FROM needs n)
    ORDER BY a."slug" LIMIT ${SHOWN}`
  const [first] = rows
  if (first) throw new ImageInUseError((await isOutside(tx, first.organizationId, sub)) ? [] : rows.map((row) => row.slug))
}

/** Whoever may delete by a grant alone is not told of the organization's apps. Robots and the system are of the organization. */
const isOutside = async (tx: Tx, organizationId: string, sub: string): Promise<boolean> =>
  !sub.includes(':') && (await findMemberOfUser(tx, organizationId, sub)) === null
