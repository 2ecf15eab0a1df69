/** kill −9 of the registry's process while it writes copies of manifests and tags, and while it makes what was lost again from them. */
import { createVerification } from '@slipway/db'
import pg from 'pg'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { RecordKeeper } from './records/keeper'
import { storeAgrees } from './testing/agrees'
import type { TestClient } from './testing/fixture'
import { killable } from './testing/kill'
import { lose, recordsAgree } from './testing/records'

const world = killable()
const SLOW = { timeout: 30_000, interval: 100 }

const keeper = () => new RecordKeeper({ db: world.database.db, store: world.store, log: pino({ level: 'silent' }) })
const untold = () => world.database.db.recordChange.count()
async function furnish(client: TestClient, round: string) {
  const one = await client.push('acme/web', `one-${round}`, [`one ${round}`, 'base'])
  await client.push('acme/web', 'latest', [`two ${round}`, 'base'])
  const gone = await client.push('acme/web', `gone-${round}`, [`gone ${round}`])
  await client.call('DELETE', `/v2/acme/web/manifests/${gone.digest}`)
  return one
}

/** Holds a table where reading still works, so that who writes to it stands exactly there; then nobody does any more. */
async function standing(table: string, killed: () => Promise<unknown>): Promise<void> {
  const blocker = new pg.Client({ connectionString: world.database.url })
  await blocker.connect()
  const waiting = async () => (await blocker.query('SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted')).rows[0].n
  try {
    await blocker.query('BEGIN')
    await blocker.query(`LOCK TABLE "${table}" IN EXCLUSIVE MODE`)
    await expect.poll(waiting, SLOW).toBeGreaterThan(0)
    await killed()
    await blocker.query('ROLLBACK')
    // Until PostgreSQL has seen that nobody is there any more, what waited may still be done, and is undone.
    const others = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
    await expect.poll(async () => (await blocker.query(others)).rows[0].n, SLOW).toBe(1)
  } finally {
    await blocker.end()
  }
}

it('killed before it writes a copy, and between the copies and saying so: the next start ends it', async () => {
  const { registry, client } = await world.start()
  await furnish(client, 'before')
  await registry.end('SIGKILL')

  const { registry: second, client: again } = await world.start()
  await expect.poll(untold, SLOW).toBe(0)
  await recordsAgree(world.database.db, world.store, 'before')
  await furnish(again, 'between')
  await standing('RecordChange', () => second.end('SIGKILL'))
  expect(await untold()).toBeGreaterThan(0)

  const { registry: third } = await world.start()
  await expect.poll(untold, SLOW).toBe(0)
  await recordsAgree(world.database.db, world.store, 'between')
  await third.end('SIGTERM')
}, 120_000)

/** What a repair writes for a manifest and its tags, in its order. */
const STEPS = ['Repository', 'RepositoryBlob', 'ManifestLayer', 'Tag', 'AuditEvent'] as const

it.each(STEPS)('killed in a repair that writes %s: another process goes on, and all is back', { timeout: 120_000 }, async (table) => {
  const { db } = world.database
  const { registry, client } = await world.start()
  const one = await furnish(client, table)
  await registry.end('SIGTERM')
  await keeper().keep()
  const before = await db.tag.count()
  await lose(db, 'DELETE FROM "Repository"', 'DELETE FROM "Blob"')
  await createVerification(db, { requestedBy: 'test', repair: true, bytesPerSecond: null })
  const { registry: held } = await world.start()
  await standing(table, () => held.end('SIGKILL'))
  // As if its minute were over.
  await db.storeVerification.updateMany({ where: { state: 'running' }, data: { leaseUntil: new Date(0) } })

  const { client: again, registry: last } = await world.start()
  await expect.poll(() => db.storeVerification.count({ where: { state: 'done' } }), SLOW).toBe(STEPS.indexOf(table) + 1)
  expect((await again.call('GET', `/v2/acme/web/manifests/one-${table}`)).headers.get('docker-content-digest')).toBe(one.digest)
  expect(await db.tag.count()).toBe(before)
  await last.end('SIGTERM')
  await keeper().keep()
  await storeAgrees(world.database, world.store, table)
  await recordsAgree(db, world.store, table)
})
