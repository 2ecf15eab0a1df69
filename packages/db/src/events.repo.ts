/** The outbox: `emitEvent` in the transaction of what happened, the rest for the worker, which hands events on. */
import { type EventKind, newId } from '@slipway/core'
import type { Db, Tx } from './client'
import { type Event, Prisma } from './generated/client'

export interface NewEvent {
  kind: EventKind
  /** Name without the organization, for what patterns of repositories choose by; null for what is no repository's. */
  repository: string | null
  /** Who did it, in words. */
  actor: string
  /** What is told of it: docs/webhooks.md. Values only, no secret. */
  data: Prisma.InputJsonObject
}

/** In the transaction of the change; heard of by webhooks, replication and apps that follow a tag once that is committed. */
export async function emitEvent(tx: Tx, organizationId: string, { kind, repository, actor, data }: NewEvent): Promise<void> {
  await tx.event.create({ data: { id: newId('event'), organizationId, kind, repository, actorLabel: actor, data } })
}

/** What somebody did to a repository through the registry. */
export interface RegistryDeed {
  repositoryId: string
  /** Of the token: a user's id, or whom else it names. */
  sub: string
  address?: string | null
  action: 'image.push' | 'image.delete' | 'tag.delete' | 'blob.delete' | 'repository.create'
  /** After the repository's name in the audit: `:main`, `@sha256:…`. */
  suffix: string
  data: Prisma.InputJsonObject
  /** Told outside, too. */
  kind?: EventKind
}

const labelOf = (sub: string): string => (sub.startsWith('system:') ? 'Slipway' : sub === '' ? 'somebody without an account' : sub)

/** Id of the robot that the token was made for; empty: it was none. */
const robotIn = (sub: string): string => (sub.startsWith('robot:') ? sub.slice('robot:'.length) : '')

/** Names for people of those whose tokens pushed (`Manifest.pushedBy`); who is gone is told by no id. `system:…` stays, as the page has words for it. */
export async function namesOfSubjects(db: Tx, subjects: string[]): Promise<(subject: string) => string> {
  const wanted = [...new Set(subjects)]
  const rows = await db.$queryRaw<{ subject: string; name: string }[]>`
    SELECT u."id" AS subject, u."name" FROM "User" u WHERE u."id" = ANY(${wanted})
    UNION ALL SELECT 'robot:' || b."id", 'robot$' || o."slug" || '+' || b."name" FROM "Robot" b JOIN "Organization" o ON o."id" = b."organizationId"
    WHERE b."id" = ANY(${wanted.map(robotIn).filter(Boolean)})`
  const names = new Map(rows.map((row) => [row.subject, row.name]))
  return (subject) => names.get(subject) ?? (/^(usr_|robot:)/.test(subject) ? 'somebody who is gone' : subject)
}

/** Of a token's subject, in words; `u` is the user whose id it may be. */
const actorSql = (sub: string) => Prisma.sql`COALESCE(u."name", (
  SELECT 'robot$' || o."slug" || '+' || b."name" FROM "Robot" b JOIN "Organization" o ON o."id" = b."organizationId"
  WHERE b."id" = ${robotIn(sub)}
), ${labelOf(sub)})`

/**
 * Something was attached to manifests that may have been copied already. Of interest to rules that copy each push, and told only
 * where there is one.
 */
export async function tellAttached(
  tx: Tx,
  { repositoryId, sub, subjects }: { repositoryId: string; sub: string; subjects: string[] },
): Promise<void> {
  const now = new Date()
  await tx.$executeRaw`
    INSERT INTO "Event" ("id", "organizationId", "kind", "repository", "actorLabel", "data", "notBefore", "createdAt")
    SELECT ${newId('event')}, r."organizationId", 'attach', r."name", ${actorSql(sub)}, ${JSON.stringify({ subjects })}::jsonb, ${now}, ${now}
    FROM "Repository" r LEFT JOIN "User" u ON u."id" = ${sub}
    WHERE r."id" = ${repositoryId} AND EXISTS (SELECT 1 FROM "ReplicationRule" p
      WHERE p."organizationId" = r."organizationId" AND p."enabled" AND p."onPush" AND p."direction" = 'push')`
}

/** Its audit event and what is told outside, as one statement: a push waits for nothing else. */
export async function recordDeed(tx: Tx, { repositoryId, sub, address, action, suffix, data, kind }: RegistryDeed): Promise<void> {
  const now = new Date()
  const json = JSON.stringify(data)
  await tx.$executeRaw`
    WITH target AS (
      SELECT r."id", r."organizationId", r."name", u."id" AS "userId", ${actorSql(sub)} AS actor
      FROM "Repository" r LEFT JOIN "User" u ON u."id" = ${sub} WHERE r."id" = ${repositoryId}
    ), told AS (
      INSERT INTO "Event" ("id", "organizationId", "kind", "repository", "actorLabel", "data", "notBefore", "createdAt")
      SELECT ${newId('event')}, "organizationId", ${kind ?? ''}, "name", actor, ${json}::jsonb, ${now}, ${now}
      FROM target WHERE ${kind ?? ''}::text <> ''
    )
    INSERT INTO "AuditEvent" ("id", "organizationId", "actorUserId", "actorLabel", "action", "targetType", "targetId", "targetLabel", "data", "ipAddress", "createdAt")
    SELECT ${newId('audit')}, "organizationId", "userId", actor, ${action}, 'repository', "id", "name" || ${suffix}, ${json}::jsonb, ${address ?? null}, ${now}
    FROM target`
}

export type EventRow = Event

/**
 * The oldest event that is due, in the hands of `handle` within one transaction that no other worker shares: it is gone with
 * the commit, or comes again later when `handle` throws. False: there is none.
 */
export async function takeEvent(db: Db, handle: (tx: Tx, event: EventRow) => Promise<void>, now = new Date()): Promise<boolean> {
  let taken: EventRow | undefined
  try {
    await db.$transaction(
      async (tx) => {
        const [row] = await tx.$queryRaw<EventRow[]>`
          SELECT * FROM "Event" WHERE "notBefore" <= ${now} ORDER BY "notBefore", "id" LIMIT 1 FOR UPDATE SKIP LOCKED`
        taken = row
        if (!row) return
        await handle(tx, row)
        await tx.event.delete({ where: { id: row.id } })
      },
      { maxWait: 10_000, timeout: 30_000 },
    )
  } catch (error) {
    if (taken) throw new EventFailed(taken, error)
    throw error
  }
  return taken !== undefined
}

export class EventFailed extends Error {
  constructor(
    readonly event: EventRow,
    override readonly cause: unknown,
  ) {
    super(`the event ${event.id} could not be handed on`)
  }
}

/** Nothing of it was done. After `MAX_ATTEMPTS` it is dropped (true): what always fails must not be tried for ever. */
export async function postponeEvent(db: Tx, { id, attempts }: EventRow, now = new Date()): Promise<boolean> {
  if (attempts + 1 >= MAX_ATTEMPTS) {
    await db.event.deleteMany({ where: { id } })
    return true
  }
  const notBefore = new Date(now.getTime() + 1000 * 2 ** Math.min(attempts, 12))
  await db.event.updateMany({ where: { id }, data: { attempts: attempts + 1, notBefore } })
  return false
}
/** About three hours with the pauses in between. */
const MAX_ATTEMPTS = 14
