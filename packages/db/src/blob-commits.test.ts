/** Blobs that are finished at once are committed at once, and none of them waits or fails because of another. */
import { newId } from '@slipway/core'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type BlobCommit, commitBlob } from './blob-commits'
import { createDb, type Db } from './client'
import { organizationUsage, quotaRefusal, setQuota } from './quota.repo'

let database: TestDatabase
let db: Db
let repositoryId: string
let organizationId: string
beforeAll(async () => {
  database = await createTestDatabase()
  db = createDb(database.url, { poolSize: 6, direct: true })
})
afterAll(async () => {
  await db.$disconnect()
  await database.drop()
})
beforeEach(async () => {
  organizationId = newId('organization')
  await db.organization.create({ data: { id: organizationId, slug: organizationId.replace('_', '-'), name: 'Acme' } })
  repositoryId = newId('repository')
  await db.repository.create({ data: { id: repositoryId, organizationId, name: 'app' } })
})

let last = 0
const digest = () => `sha256:${(++last).toString(16).padStart(64, '0')}`
const blob = (more: Partial<BlobCommit> = {}): BlobCommit => ({
  repositoryId,
  digest: digest(),
  size: 100,
  place: async () => undefined,
  isPlaced: async () => true,
  ...more,
})

/** Two commits that are under way until `go`, so that what comes meanwhile waits. */
function busy() {
  let go = () => {}
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  const running = [0, 1].map(() => commitBlob(db, blob({ place: () => gate })))
  return { go, running }
}

const links = () => db.repositoryBlob.findMany({ where: { repositoryId }, select: { digest: true }, orderBy: { digest: 'asc' } })
const state = (promise: Promise<unknown>) =>
  promise.then(
    () => 'written',
    (error: unknown) => error,
  )

it('writes in one transaction what waited for the same disk', async () => {
  const { go, running } = busy()
  const commits = [blob(), blob(), blob(), blob()]
  const written = commits.map((commit) => commitBlob(db, commit))
  go()
  await Promise.all([...running, ...written])
  const rows = await db.$queryRawUnsafe<{ by: string }[]>(
    'SELECT DISTINCT xmin::text AS by FROM "RepositoryBlob" WHERE "digest" = ANY($1)',
    commits.map((commit) => commit.digest),
  )
  expect(rows).toHaveLength(1)
  expect(await links()).toHaveLength(6)
  expect((await organizationUsage(db, organizationId)).bytes).toBe(600)
})

it('takes two pushes of one blob, and one of a blob that is linked already', async () => {
  const same = digest()
  const { go, running } = busy()
  const size = 50
  const written = [blob({ digest: same, size }), blob({ digest: same, size }), blob()].map((commit) => commitBlob(db, commit))
  go()
  await Promise.all([...running, ...written])
  const where = { repositoryId_digest: { repositoryId, digest: same } }
  await db.repositoryBlob.update({ where, data: { seenAt: new Date(0) } })
  await Promise.all([commitBlob(db, blob({ digest: same, size })), commitBlob(db, blob())])
  expect((await db.repositoryBlob.findUniqueOrThrow({ where })).seenAt.getTime()).toBeGreaterThan(0)
  expect((await organizationUsage(db, organizationId)).bytes).toBe(450)
})

it('refuses only the one that has no room, and the one that could not be placed', async () => {
  await setQuota(db, organizationId, { maxBytes: 1000, maxRepositories: null })
  const { go, running } = busy()
  const broken = new Error('the disk')
  const placed: string[] = []
  const counted = (more: Partial<BlobCommit>) => {
    const commit = blob(more)
    return { ...commit, place: async () => void placed.push(commit.digest) }
  }
  const large = counted({ size: 5000 })
  const commits = [counted({}), large, blob({ place: () => Promise.reject(broken) }), counted({})]
  const results = commits.map((commit) => state(commitBlob(db, commit)))
  go()
  const [first, refused, failed, other] = await Promise.all(results)
  await Promise.all(running)
  expect([first, failed, other]).toEqual(['written', broken, 'written'])
  expect(quotaRefusal(refused)).toMatchObject({ what: 'bytes', limit: 1000 })
  expect(await links()).toHaveLength(4)
  // What was placed is not placed again when the transaction was.
  expect(placed).toHaveLength(3)
})

it('does not write a row for bytes that are gone when it comes to it a second time', async () => {
  await setQuota(db, organizationId, { maxBytes: 1000, maxRepositories: null })
  const { go, running } = busy()
  const gone = blob({ isPlaced: async () => false })
  const results = [gone, blob({ size: 5000 })].map((commit) => state(commitBlob(db, commit)))
  go()
  expect(await results[0]).toMatchObject({ message: expect.stringContaining('is gone') })
  await Promise.all([...results, ...running])
  expect((await links()).map((link) => link.digest)).not.toContain(gone.digest)
})

it('lets the others go before one whose digest somebody holds', async () => {
  const held = blob()
  const holder = new pg.Client({ connectionString: database.url })
  await holder.connect()
  try {
    await holder.query('BEGIN')
    await holder.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [held.digest])
    const { go, running } = busy()
    let done = false
    const waiting = commitBlob(db, held).then(() => {
      done = true
    })
    const others = [blob(), blob()].map((commit) => commitBlob(db, commit))
    go()
    await Promise.all([...running, ...others])
    // Those that come after it neither.
    await commitBlob(db, blob())
    expect(done).toBe(false)
    await holder.query('COMMIT')
    await waiting
    expect(await links()).toHaveLength(6)
  } finally {
    await holder.end()
  }
})
