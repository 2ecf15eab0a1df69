/** kill −9 of the registry's process at each step of a push: what is visible afterwards is whole, and the push made again goes through. */
import { digestBytes } from '@slipway/oci/node'
import pg from 'pg'
import { expect, it } from 'vitest'
import { storeAgrees } from './testing/agrees'
import type { TestClient } from './testing/fixture'
import { killable } from './testing/kill'

const world = killable()

/** Tables that a push writes, in its order. Each is held where reading still works, so that the push stands exactly there. */
const STEPS = [
  ['the repository is made', 'Repository'],
  ['an upload begins', 'Upload'],
  ['a blob is placed and linked', 'RepositoryBlob'],
  ['the manifest is written', 'Manifest'],
  ['its layers are written', 'ManifestLayer'],
  ['the tag is moved', 'Tag'],
  ['the push is told', 'AuditEvent'],
] as const

/** A layer as docker sends it, in three requests. */
async function inThree(client: TestClient, name: string, content: string) {
  const location = (await client.call('POST', `/v2/${name}/blobs/uploads/`)).headers.get('location')
  if (location === null) throw new Error('no upload was begun')
  await client.call('PATCH', location, { body: content })
  const put = await client.call('PUT', `${location}?digest=${digestBytes(content)}`)
  if (put.status !== 201) throw new Error(`blob: ${put.status}`)
}

async function push(client: TestClient, name: string, tag: string, layer: string) {
  await inThree(client, name, layer)
  return client.push(name, tag, [layer, 'shared by all'])
}

it.each(STEPS)('killed where %s', { timeout: 120_000 }, async (_, table) => {
  const name = `acme/at-${table.toLowerCase()}`
  const { registry, client } = await world.start()
  // The first push of a repository makes it; everything else is killed in one that moves a tag.
  const before = table === 'Repository' ? undefined : await push(client, name, 'latest', `before ${table}`)
  const blocker = new pg.Client({ connectionString: world.database.url })
  await blocker.connect()
  try {
    await blocker.query('BEGIN')
    await blocker.query(`LOCK TABLE "${table}" IN EXCLUSIVE MODE`)
    const cut = push(client, name, 'latest', `after ${table}`).then(
      () => 'pushed',
      () => 'cut',
    )
    await expect
      .poll(async () => (await blocker.query('SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted')).rows[0].n, { timeout: 30_000 })
      .toBeGreaterThan(0)
    await registry.end('SIGKILL')
    expect(await cut).toBe('cut')
    await blocker.query('ROLLBACK')
    // Until PostgreSQL has seen that nobody is there any more, what waited may still be done, and is undone.
    await expect
      .poll(
        async () =>
          (await blocker.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"))
            .rows[0].n,
        { timeout: 30_000 },
      )
      .toBe(1)
  } finally {
    await blocker.end()
  }
  await storeAgrees(world.database, world.store, `after the kill at ${table}`)

  const { client: again } = await world.start()
  const now = await again.call('GET', `/v2/${name}/manifests/latest`)
  if (before) expect(await now.text()).toBe(before.manifest)
  else expect(now.status).toBe(404)
  const after = await push(again, name, 'latest', `after ${table}`)
  expect(await (await again.call('GET', `/v2/${name}/manifests/latest`)).text()).toBe(after.manifest)
  for (const digest of [after.config, ...after.layers]) expect((await again.call('GET', `/v2/${name}/blobs/${digest}`)).status).toBe(200)
  await storeAgrees(world.database, world.store, `after the push made again at ${table}`)
})

it('killed again and again at moments that nobody chose: each push was made whole or not at all', { timeout: 240_000 }, async () => {
  const name = 'acme/any-moment'
  const told = new Set<string>()
  for (let round = 0; round < 6; round++) {
    const { registry, client } = await world.start()
    const pushes = Array.from({ length: 4 }, async (_, worker) => {
      for (let n = 0; ; n++) told.add((await push(client, name, `w${worker}`, `layer ${round} ${worker} ${n}`)).digest)
    }).map((endless) => endless.catch(() => undefined))
    const before = told.size
    await expect.poll(() => told.size, { timeout: 30_000, interval: 1 + round * 17 }).toBeGreaterThan(before + round)
    await registry.end('SIGKILL')
    await Promise.all(pushes)
    await storeAgrees(world.database, world.store, `round ${round}`)
  }
  const { client } = await world.start()
  // What a client was told is pushed, is.
  for (const digest of told) expect((await client.call('GET', `/v2/${name}/manifests/${digest}`)).status).toBe(200)
})
