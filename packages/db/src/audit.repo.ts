import { newId } from '@slipway/core'
import type { Tx } from './client'
import { type AuditEvent, Prisma } from './generated/client'
import { type PageRequest, pageArgs, toPage } from './page'

export interface AuditInput {
  actorUserId: string | null
  actorLabel: string
  /** `app.create`, `deployment.rollback` */
  action: string
  targetType: string
  targetId: string | null
  targetLabel: string
  data?: Prisma.InputJsonValue
  ipAddress?: string | null
}

/** What of the audit is looked at; nothing given: all. */
export interface AuditFilter {
  actor?: string
  action?: string
  /** Somewhere in the target's name. */
  query?: string
  from?: Date
  to?: Date
}

/** In the transaction of the change it tells of: no change without its event, no event without its change. */
export const writeAudit = (tx: Tx, organizationId: string, event: AuditInput) =>
  tx.auditEvent.create({ data: { id: newId('audit'), organizationId, ...event } })

/** The client hands % and _ on to LIKE, where they stand for anything. */
const literal = (text: string) => text.replace(/[\\%_]/g, '\\$&')

const whereOf = (organizationId: string, { actor, action, query, from, to }: AuditFilter) =>
  ({
    organizationId,
    ...(actor && { actorLabel: actor }),
    ...(action && { action }),
    ...(query && { targetLabel: { contains: literal(query), mode: 'insensitive' } }),
    ...((from || to) && { createdAt: { ...(from && { gte: from }), ...(to && { lt: to }) } }),
  }) satisfies Prisma.AuditEventWhereInput

export async function listAudit(db: Tx, organizationId: string, page: PageRequest, filter: AuditFilter = {}) {
  const { take, orderBy, before } = pageArgs(page)
  const where = whereOf(organizationId, filter)
  const [rows, total] = await Promise.all([
    db.auditEvent.findMany({ where: { ...where, ...before }, take, orderBy }),
    db.auditEvent.count({ where }),
  ])
  return toPage(rows, total, page.limit, (row) => row.id)
}

/** How many an export would hold, counted no further than one more than `limit`. */
export const countAudit = (db: Tx, organizationId: string, filter: AuditFilter, limit: number): Promise<number> =>
  db.auditEvent.count({ where: whereOf(organizationId, filter), take: limit + 1 })

/** Newest first, page by page, as they are read; at most `limit`. */
export async function* readAudit(db: Tx, organizationId: string, filter: AuditFilter, limit: number): AsyncGenerator<AuditEvent[]> {
  let cursor: string | undefined
  for (let left = limit; left > 0; ) {
    const where = { ...whereOf(organizationId, filter), ...(cursor && { id: { lt: cursor } }) }
    const rows = await db.auditEvent.findMany({ where, orderBy: { id: 'desc' }, take: Math.min(left, 500) })
    cursor = rows.at(-1)?.id
    if (cursor === undefined) return
    left -= rows.length
    yield rows
  }
}

/** Who and what there is to choose by, each by the index alone: one step per value, however many events there are. */
export async function auditFacets(db: Tx, organizationId: string, take: number): Promise<{ actors: string[]; actions: string[] }> {
  const [actors, actions] = await Promise.all([
    distinct(db, Prisma.sql`"actorLabel"`, organizationId, take),
    distinct(db, Prisma.sql`"action"`, organizationId, take),
  ])
  return { actors, actions }
}

async function distinct(db: Tx, column: Prisma.Sql, organizationId: string, take: number): Promise<string[]> {
  const rows = await db.$queryRaw<{ value: string }[]>`
    WITH RECURSIVE step(value) AS (
      (SELECT ${column} FROM "AuditEvent" WHERE "organizationId" = ${organizationId} ORDER BY ${column} LIMIT 1)
      UNION ALL
      SELECT (SELECT ${column} FROM "AuditEvent" WHERE "organizationId" = ${organizationId} AND ${column} > step.value ORDER BY ${column} LIMIT 1)
      FROM step WHERE step.value IS NOT NULL
    )
    SELECT value FROM step WHERE value IS NOT NULL LIMIT ${take}`
  return rows.map((row) => row.value)
}

/** Slugs of those apps and names of those repositories that are still there, for links. */
export async function auditTargets(db: Tx, organizationId: string, ids: { apps: string[]; repositories: string[] }) {
  const [apps, repositories] = await Promise.all([
    ids.apps.length === 0
      ? []
      : db.app.findMany({ where: { organizationId, id: { in: ids.apps }, deletedAt: null }, select: { id: true, slug: true } }),
    ids.repositories.length === 0
      ? []
      : db.repository.findMany({ where: { organizationId, id: { in: ids.repositories } }, select: { id: true, name: true } }),
  ])
  return { apps: new Map(apps.map((a) => [a.id, a.slug])), repositories: new Map(repositories.map((r) => [r.id, r.name])) }
}
