/**
 * Whose turn it is: of all builds that wait, that of the organization with the fewest running ones; among equals, of the one
 * whose last build began the longest ago; and of its builds the oldest, as long as no other one of its app is running.
 * Those of pull requests come after all others of their organization, and keep none of their app's waiting: whoever opens one
 * need not be a member, and must not hold up what is to be deployed.
 */
import type { Db, Tx } from './client'
import type { Prisma } from './generated/client'

const run = {
  app: { include: { organization: { select: { slug: true } }, project: { select: { slug: true } }, variables: true } },
} satisfies Prisma.BuildInclude
export type BuildRunRow = Prisma.BuildGetPayload<{ include: typeof run }>

/** How long ago a build is remembered of the one that had it built. */
const REMEMBERED_MS = 24 * 3_600_000

interface Waiting {
  id: string
  appId: string
  organizationId: string
  pullRequest: number | null
}
interface Turns {
  waiting: Waiting[]
  /** Running builds of an organization. */
  running: Map<string, number>
  /** Apps that one runs of, of pull requests and others apart (`placeOf`). */
  busyApps: Set<string>
  /** When an organization had its last turn; any number that grows. */
  lastTurn: Map<string, number>
}

const placeOf = ({ appId, pullRequest }: Pick<Waiting, 'appId' | 'pullRequest'>) =>
  pullRequest === null ? appId : `${appId} pull requests`

async function readTurns(db: Tx, now: Date): Promise<Turns> {
  const select = { id: true, appId: true, organizationId: true, pullRequest: true } as const
  const running = await db.build.findMany({ where: { state: 'running' }, select })
  const queued = await db.build.findMany({
    where: { state: 'queued', cancelRequestedAt: null, app: { deletedAt: null } },
    select,
    orderBy: { id: 'asc' },
  })
  const waiting = [...queued.filter((build) => build.pullRequest === null), ...queued.filter((build) => build.pullRequest !== null)]
  const organizations = [...new Set(waiting.map((build) => build.organizationId))]
  const last = await db.build.groupBy({
    by: ['organizationId'],
    where: { organizationId: { in: organizations }, queuedAt: { gt: new Date(now.getTime() - REMEMBERED_MS) } },
    _max: { startedAt: true },
  })
  const counts = new Map<string, number>()
  for (const { organizationId } of running) counts.set(organizationId, (counts.get(organizationId) ?? 0) + 1)
  return {
    waiting,
    running: counts,
    busyApps: new Set(running.map(placeOf)),
    lastTurn: new Map(last.map((row) => [row.organizationId, row._max.startedAt?.getTime() ?? 0])),
  }
}

function nextTurn({ waiting, running, busyApps, lastTurn }: Turns): Waiting | null {
  let best: Waiting | null = null
  for (const build of waiting) {
    if (busyApps.has(placeOf(build))) continue
    if (best === null) best = build
    else {
      const fewer = (running.get(build.organizationId) ?? 0) - (running.get(best.organizationId) ?? 0)
      const earlier = (lastTurn.get(build.organizationId) ?? 0) - (lastTurn.get(best.organizationId) ?? 0)
      if (fewer < 0 || (fewer === 0 && earlier < 0)) best = build
    }
  }
  return best
}

/**
 * queued → running, of the build whose turn it is; null when none waits that may run. Who claims waits for who claims already, so
 * that each sees what the other took. The lock on the app's row keeps a deletion of the app, or a newer build, out until then.
 */
export function claimBuild(db: Db, now = new Date()): Promise<BuildRunRow | null> {
  return db.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended('claim of a build', 0))`
    const turns = await readTurns(tx, now)
    for (let next = nextTurn(turns); next; next = nextTurn(turns)) {
      const { id } = next
      const [app] = await tx.$queryRaw<{ deletedAt: Date | null }[]>`SELECT "deletedAt" FROM "App" WHERE "id" = ${next.appId} FOR UPDATE`
      const { count } = await tx.build.updateMany({
        where: { id, state: 'queued', cancelRequestedAt: null, app: { deletedAt: null } },
        data: { state: 'running', startedAt: now, heartbeatAt: now, attempt: { increment: 1 }, phase: 'checkout' },
      })
      if (app && count === 1) return tx.build.findUniqueOrThrow({ where: { id }, include: run })
      // Canceled, superseded or deleted since it was read.
      turns.waiting = turns.waiting.filter((build) => build.id !== id)
    }
    return null
  })
}

/**
 * Builds of the whole installation that are before this one: the running ones, and those that have their turn before, as if
 * no more came and none ended meanwhile.
 */
export async function queuePosition(db: Tx, build: { id: string; state: string }, now = new Date()): Promise<number | null> {
  if (build.state !== 'queued') return null
  const turns = await readTurns(db, now)
  let before = [...turns.running.values()].reduce((sum, count) => sum + count, 0)
  for (let at = now.getTime() + 1; turns.waiting.length > 0; at++) {
    const next = nextTurn(turns)
    if (next === null) {
      // What is left waits for another build of its app.
      turns.busyApps.clear()
      continue
    }
    if (next.id === build.id) return before
    before++
    turns.waiting = turns.waiting.filter((one) => one !== next)
    turns.busyApps.add(placeOf(next))
    turns.running.set(next.organizationId, (turns.running.get(next.organizationId) ?? 0) + 1)
    turns.lastTurn.set(next.organizationId, at)
  }
  // Taken up, or over, since it was read.
  return null
}
