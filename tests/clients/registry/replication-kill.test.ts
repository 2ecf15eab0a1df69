/** kill −9 of the worker at each step of a replication: the next one brings the image over whole, and nothing twice. */
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { clientOf, ended, startWorld, type World } from './replication-world'

let w: World
beforeAll(async () => {
  w = await startWorld()
})
afterAll(() => w?.close())

/** Tables that are written at that step, ours or of the registry that is copied to. Each is held where reading still works. */
const STEPS = [
  ['it is taken up', 'ours', 'ReplicationRun'],
  ['what is to be copied is written down', 'ours', 'ReplicationItem'],
  ['an upload begins there', 'theirs', 'Upload'],
  ['a blob is placed there', 'theirs', 'RepositoryBlob'],
  ['the manifest is written there', 'theirs', 'Manifest'],
  ['the tag is set there', 'theirs', 'Tag'],
  ['all is there and nobody knows', 'unknown', 'ReplicationItem'],
] as const

/** A table of a database, held until it is let go; and whether somebody waits for it. */
async function hold(databaseUrl: string, table: string) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('BEGIN')
  await client.query(`LOCK TABLE "${table}" IN EXCLUSIVE MODE`)
  const waiting = async () =>
    (
      await client.query(
        `SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted AND relation = '"${table}"'::regclass
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      )
    ).rows[0].n
  return {
    reached: () => expect.poll(waiting, { timeout: 60_000 }).toBeGreaterThan(0),
    letGo: () => client.end(),
  }
}

it.each(STEPS)('killed where %s', { timeout: 180_000 }, async (_, whose, table) => {
  const name = `kill/${whose}-${table.toLowerCase()}`
  const layers = [`one of ${name}`, `two of ${name}`]
  const { digest } = await w.client.push(`acme/${name}`, 'v1', layers)
  const ada = { username: 'key', password: w.second.people.ada.apiKey }
  const rule = await w.rule({ direction: 'push', remote: w.second.base, repositories: [name], target: 'acme', ...ada })
  const theirs = clientOf(w.second.base, ada)
  const { id } = await w.h.services.replication.run(w.scope, { id: rule })
  const held = [await hold(whose === 'ours' ? w.h.databaseUrl : w.second.databaseUrl, whose === 'unknown' ? 'Tag' : table)]
  try {
    const worker = await w.worker()
    await held[0]?.reached()
    if (whose === 'unknown') {
      const ours = await hold(w.h.databaseUrl, table)
      held.push(ours)
      await held.shift()?.letGo()
      await expect.poll(() => theirs.resolve(`acme/${name}`, 'v1').catch(() => null), { timeout: 60_000 }).toBe(digest)
      await ours.reached()
    }
    await ended(worker, 'SIGKILL')
  } finally {
    for (const one of held) await one.letGo()
  }
  const run = await w.h.services.replication.runOf(w.scope, { id })
  expect(run.finishedAt).toBeNull()
  // As if a minute had gone by: without a beat for so long its worker is lost.
  await w.h.db.$executeRaw`UPDATE "ReplicationRun" SET "heartbeatAt" = "heartbeatAt" - interval '1 minute' WHERE "id" = ${id}`
  const next = await w.worker()
  const after = await w.settled(id)
  expect(after).toMatchObject({ state: 'succeeded', error: null, items: { succeeded: 1, failed: 0 } })
  expect(await theirs.resolve(`acme/${name}`, 'v1')).toBe(digest)
  // Whoever pulls it gets every byte.
  const { manifest } = await w.client.push(`acme/${name}`, 'v1', layers)
  const parsed = JSON.parse(manifest) as { config: { digest: string }; layers: { digest: string }[] }
  const bearer = await w.second.sign([{ type: 'repository', name: `acme/${name}`, actions: ['pull'] }])
  for (const blob of [parsed.config, ...parsed.layers]) {
    const answer = await fetch(`${w.second.base}/v2/acme/${name}/blobs/${blob.digest}`, { headers: { authorization: `Bearer ${bearer}` } })
    expect(answer.status).toBe(200)
    await answer.arrayBuffer()
  }
  await ended(next, 'SIGKILL')
})
