/** kill −9 of the registry's process at each step of the collector; the next run ends what this one began, and nothing is missing. */
import { readdir, utimes } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { expect, it } from 'vitest'
import { storeAgrees } from './testing/agrees'
import type { TestClient } from './testing/fixture'
import { killable } from './testing/kill'

const world = killable()

/** A kept image, one that is deleted, an upload that nobody ends, and a file without a row: all old enough for the collector. */
async function furnish(client: TestClient, round: string) {
  await client.push('acme/keep', round, [`kept ${round}`, `both ${round}`])
  const gone = await client.push('acme/gone', round, [`gone ${round}`, `both ${round}`])
  await client.call('DELETE', `/v2/acme/gone/manifests/${gone.digest}`)
  const location = (await client.call('POST', '/v2/acme/gone/blobs/uploads/')).headers.get('location') ?? ''
  await client.call('PATCH', location, { body: 'never ended' })
  const old = new Date(Date.now() - 48 * 3_600_000)
  await world.database.db.repositoryBlob.updateMany({ data: { seenAt: old } })
  await world.database.db.blob.updateMany({ data: { createdAt: old } })
  await world.database.db.$executeRaw`UPDATE "Upload" SET "updatedAt" = ${old}`
  for (const prefix of await readdir(path.join(world.data, 'registry/blobs/sha256'))) {
    for (const name of await readdir(path.join(world.data, 'registry/blobs/sha256', prefix)))
      await utimes(path.join(world.data, 'registry/blobs/sha256', prefix, name), old, old)
  }
}

/** Waits for whoever waits for a lock: there the collector stands. */
const blocked = (client: pg.Client) =>
  expect
    .poll(async () => (await client.query('SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted')).rows[0].n, { timeout: 15_000 })
    .toBeGreaterThan(0)

/** Rows that the collector deletes from at its steps: each is held where reading still works, so that it stops exactly there. */
const STEPS = [
  ['an upload, its bytes gone and its row not yet', 'Upload'],
  ['links', 'RepositoryBlob'],
  ['the row of a blob', 'Blob'],
  ['what it counted', 'BlobStoreState'],
] as const

it('killed at each step in turn, each time where the last run had come to', async () => {
  const { registry, client } = await world.start()
  await furnish(client, 'steps')
  await registry.end('SIGKILL')
  for (const [step, table] of STEPS) {
    const blocker = new pg.Client({ connectionString: world.database.url })
    await blocker.connect()
    try {
      await blocker.query('BEGIN')
      await blocker.query(`LOCK TABLE "${table}" IN EXCLUSIVE MODE`)
      const { registry: held } = await world.start()
      await blocked(blocker)
      await held.end('SIGKILL')
      await blocker.query('ROLLBACK')
    } finally {
      await blocker.end()
    }
    await storeAgrees(world.database, world.store, step)
  }
  await whole('all steps')
}, 120_000)

it('killed between the row of a blob and its file, and at any moment', async () => {
  let { registry, client } = await world.start()
  await furnish(client, 'between')
  await registry.end('SIGKILL')
  // As that moment leaves it.
  await world.database.db.repositoryBlob.deleteMany({ where: { repository: { name: 'gone' } } })
  await world.database.db
    .$executeRaw`DELETE FROM "Blob" b WHERE NOT EXISTS (SELECT 1 FROM "RepositoryBlob" l WHERE l."digest" = b."digest")`
  for (let round = 0; round < 2; round++) {
    ;({ registry, client } = await world.start())
    await registry.end('SIGKILL')
    await storeAgrees(world.database, world.store, `round ${round}`)
  }
  await whole('any moment')
}, 120_000)

/** A run that nobody disturbs leaves what images need, and nothing else. */
async function whole(hint: string) {
  const { registry, client } = await world.start()
  await expect
    .poll(
      async () => {
        const { files, needed } = await storeAgrees(world.database, world.store, hint)
        // A copy of a manifest that was being written is no upload, and goes after a day.
        const uploads = (await readdir(path.join(world.data, 'registry/uploads'))).filter((name) => !name.startsWith('rec_'))
        return files.join() === needed.join() && uploads.length === 0 && (await world.database.db.upload.count()) === 0
      },
      { timeout: 15_000, interval: 100 },
    )
    .toBe(true)
  for (const { name } of await world.database.db.tag.findMany({ where: { repository: { name: 'keep' } } })) {
    expect((await client.call('GET', `/v2/acme/keep/manifests/${name}`)).status, hint).toBe(200)
  }
  await registry.end('SIGKILL')
}
