/** Of manifests, the build caches: no images, so lists, searches and rules leave them out. */
import { BUILD_CACHE_ARTIFACT } from '@slipway/core'
import { Prisma } from './generated/client'

/** Of the manifest `m`: `isBuildCache` of packages/core in SQL. Never null, so that it can be denied. */
export const isBuildCache = Prisma.sql`(m."artifactType" IS NOT DISTINCT FROM ${BUILD_CACHE_ARTIFACT}
  AND m."pushedBy" LIKE 'system:%' AND m."pushedBy" <> 'system:replication')`
export const isNoBuildCache = Prisma.sql`NOT ${isBuildCache}`
