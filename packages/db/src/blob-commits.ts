/**
 * The rows of blobs that were pushed. Those of one repository that are finished at about the same time are written in one transaction:
 * each commit waits for the disk with the row of the organization's usage locked (its triggers count there), so that one by one,
 * eight uploads at once waited for eight such commits in turn (31 pushes of 4 MiB a second; the disk takes more than twice as many).
 */
import type { Db } from './client'
import { DatabaseAwayError, type Direct, directly, statement, timestamp } from './direct'

/** A digest's lock is held only during a rename or unlink. */
const TIMEOUT_MS = 30_000
/** While one transaction waits for its commit, the files of the next are put in their place. */
const MAX_RUNNING = 2
const MAX_TOGETHER = 32

export interface BlobCommit {
  repositoryId: string
  digest: string
  size: number
  /** The session that it came through, if that has a row: it ends with the commit. */
  uploadId?: string
  /** Moves the verified, synced bytes to their place. Runs under the digest's lock, and ends before any row is seen. */
  place: () => Promise<void>
  /** For stores that place in no time: it may wait for others, and they for it. Whether what `place` placed is still there. */
  isPlaced?: () => Promise<boolean>
}

/** File first, row second: a crash in between leaves a file without a row, which is harmless, never a row without a file. */
export function commitBlob(db: Db, commit: BlobCommit): Promise<void> {
  if (!commit.isPlaced) return commitAlone(db, commit)
  const queues = queuesOf(db)
  let queue = queues.get(commit.repositoryId)
  if (!queue) {
    queue = new CommitQueue(db, () => queues.delete(commit.repositoryId))
    queues.set(commit.repositoryId, queue)
  }
  return queue.add(commit)
}

const known = new WeakMap<Db, Map<string, CommitQueue>>()

function queuesOf(db: Db): Map<string, CommitQueue> {
  const queues = known.get(db) ?? new Map<string, CommitQueue>()
  known.set(db, queues)
  return queues
}

async function commitAlone(db: Db, { repositoryId, digest, size, uploadId, place, isPlaced }: BlobCommit, placed = false): Promise<void> {
  const now = timestamp(new Date())
  await directly(db).underLock(digest, TIMEOUT_MS, async (tx) => {
    // Between two transactions nothing held the file: the collector may have taken it.
    if (!placed) await place()
    else if (!(await isPlaced?.())) throw new Error(`${digest} was placed, and is gone`)
    await tx.query(statement`
      WITH blob AS (
        INSERT INTO "Blob" ("digest", "size", "createdAt", "verifiedAt") VALUES (${digest}, ${size}, ${now}, ${now})
        ON CONFLICT ("digest") DO UPDATE SET "size" = EXCLUDED."size", "verifiedAt" = EXCLUDED."verifiedAt", "damagedAt" = NULL
      ), healed AS (
        UPDATE "BlobDamage" SET "repairedAt" = ${now}, "repairedBy" = 'push' WHERE "digest" = ${digest} AND "repairedAt" IS NULL
      ), upload AS (
        DELETE FROM "Upload" WHERE "id" = ${uploadId ?? ''}
      )
      INSERT INTO "RepositoryBlob" ("repositoryId", "digest", "size", "createdAt", "seenAt") VALUES (${repositoryId}, ${digest}, ${size}, ${now}, ${now})
      ON CONFLICT ("repositoryId", "digest") DO UPDATE SET "size" = EXCLUDED."size", "seenAt" = EXCLUDED."seenAt"`)
  })
}

/** Writes those of one repository, and gives the digests that it had no link of; a link that it has is left as it is. */
async function writeNew(tx: Direct, repositoryId: string, commits: readonly BlobCommit[]): Promise<Set<string>> {
  const now = timestamp(new Date())
  const digests = commits.map((commit) => commit.digest)
  const uploads = commits.flatMap(({ uploadId }) => uploadId ?? [])
  const rows = await tx.query<{ digest: string }>(statement`
    WITH pushed AS (
      SELECT * FROM UNNEST(${digests}::text[], ${commits.map((commit) => commit.size)}::bigint[]) AS p("digest", "size") ORDER BY "digest"
    ), blob AS (
      INSERT INTO "Blob" ("digest", "size", "createdAt", "verifiedAt") SELECT "digest", "size", ${now}::timestamp, ${now}::timestamp FROM pushed
      ON CONFLICT ("digest") DO UPDATE SET "size" = EXCLUDED."size", "verifiedAt" = EXCLUDED."verifiedAt", "damagedAt" = NULL
    ), healed AS (
      UPDATE "BlobDamage" SET "repairedAt" = ${now}::timestamp, "repairedBy" = 'push' WHERE "digest" = ANY(${digests}::text[]) AND "repairedAt" IS NULL
    ), upload AS (
      DELETE FROM "Upload" WHERE "id" = ANY(${uploads}::text[])
    )
    INSERT INTO "RepositoryBlob" ("repositoryId", "digest", "size", "createdAt", "seenAt")
    SELECT ${repositoryId}, "digest", "size", ${now}::timestamp, ${now}::timestamp FROM pushed
    ON CONFLICT ("repositoryId", "digest") DO NOTHING RETURNING "digest"`)
  return new Set(rows.map((row) => row.digest))
}

interface Waiting {
  commit: BlobCommit
  placed: boolean
  done: (result: Promise<void>) => void
}

class CommitQueue {
  #waiting: Waiting[] = []
  #running = 0

  constructor(
    readonly db: Db,
    readonly onIdle: () => void,
  ) {}

  add(commit: BlobCommit): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ commit, placed: false, done })
      this.#start()
    })
  }

  #start(): void {
    while (this.#running < MAX_RUNNING && this.#waiting.length > 0) {
      this.#running++
      void this.#together(this.#take()).finally(() => {
        this.#running--
        this.#start()
        if (this.#running === 0 && this.#waiting.length === 0) this.onIdle()
      })
    }
  }

  /** Those that came first, each digest once. */
  #take(): Waiting[] {
    const taken = new Map<string, Waiting>()
    for (const waiting of this.#waiting) {
      if (taken.size < MAX_TOGETHER && !taken.has(waiting.commit.digest)) taken.set(waiting.commit.digest, waiting)
    }
    const batch = [...taken.values()]
    this.#waiting = this.#waiting.filter((waiting) => !batch.includes(waiting))
    return batch
  }

  /**
   * What cannot be written with the others is written by itself, where it may wait or fail without them: a digest that somebody has
   * locked, one that the repository links already (a manifest's push locks such rows, too, in an order of its own), all of them
   * when the transaction fails (a limit was passed).
   */
  async #together(batch: readonly Waiting[]): Promise<void> {
    const told = new Set<Waiting>()
    const tell = (waiting: Waiting, result: Promise<void>) => {
      told.add(waiting)
      waiting.done(result)
    }
    try {
      const fresh = await this.#write(batch, (waiting, error) => tell(waiting, Promise.reject(error)))
      for (const waiting of batch) if (fresh.has(waiting.commit.digest)) tell(waiting, Promise.resolve())
    } catch (error) {
      // By itself it would fail again.
      if (batch.length === 1 || error instanceof DatabaseAwayError) for (const waiting of batch) tell(waiting, Promise.reject(error))
    }
    for (const waiting of batch) if (!told.has(waiting)) waiting.done(commitAlone(this.db, waiting.commit, waiting.placed))
  }

  /** Gives the digests that were written. */
  #write(batch: readonly Waiting[], onUnplaced: (waiting: Waiting, error: unknown) => void): Promise<Set<string>> {
    const digests = batch.map(({ commit }) => commit.digest)
    return directly(this.db).underFreeLocks(digests, TIMEOUT_MS, async (tx, locked) => {
      const place = async (waiting: Waiting) => {
        try {
          await waiting.commit.place()
          waiting.placed = true
        } catch (error) {
          onUnplaced(waiting, error)
        }
      }
      await Promise.all(batch.filter(({ commit }) => locked.has(commit.digest)).map(place))
      const placed = batch.filter((waiting) => waiting.placed).map(({ commit }) => commit)
      return placed[0] ? writeNew(tx, placed[0].repositoryId, placed) : new Set<string>()
    })
  }
}
