/**
 * The collector. It runs while pushes and pulls run; Postgres is the mark (packages/db/src/registry-gc.repo.ts):
 *
 * 1. uploads that nobody wrote to for a day: bytes, then row; bytes without a row
 * 2. links that no manifest of their repository uses, an hour after a push last relied on them; a day, while one is under way there
 * 3. rows of blobs that no repository links, under the digest's lock; none that a manifest needs which was lost, and can be made again
 * 4. files without a row, under the same lock. A crash between 3 and 4 leaves such a file for the next run.
 * 5. the histories of tags that have been gone for a year
 *
 * A push that comes in between finds its blob gone and uploads it again, or has the lock first and the blob stays.
 */
import { setTimeout } from 'node:timers/promises'
import {
  abandonedUploads,
  type Db,
  deleteUpload,
  eraseWithoutRow,
  forgetBlob,
  forgetGoneTags,
  knownBlobs,
  knownUploads,
  reconcileUsage,
  releaseLooseLinks,
  repositoriesWithLooseLinks,
  unlinkedBlobs,
} from '@slipway/db'
import type { Logger } from 'pino'
import { blobsOfLostManifests } from './records/lost'
import { countStore } from './store/count'
import type { BlobStore } from './store/store'

const HOUR_MS = 3_600_000
/** Who wonders about a tag that is gone does so in the year after. */
const HISTORY_MS = 365 * 24 * HOUR_MS
const BATCH = 500
/** Between two groups, so that pushes have the database in between. */
const PAUSE_MS = 100
/** A push that is neither uploading nor done with its manifest has relied on some blob as lately as this. */
const QUIET_MS = 600_000

export interface CollectorOptions {
  db: Db
  store: BlobStore
  log: Logger
  busyUploads: ReadonlySet<string>
  /** As the storage page names it. */
  storeKind?: string
  graceMs?: number
  abandonedAfterMs?: number
  batch?: number
  pauseMs?: number
}

export interface Collected {
  uploads: number
  links: number
  blobs: number
}

export class Collector {
  readonly #options: Required<CollectorOptions>
  #timer: NodeJS.Timeout | undefined
  #running: Promise<unknown> | undefined
  readonly #stop = new AbortController()

  constructor(options: CollectorOptions) {
    this.#options = {
      graceMs: HOUR_MS,
      abandonedAfterMs: 24 * HOUR_MS,
      storeKind: options.store.kind,
      batch: BATCH,
      pauseMs: PAUSE_MS,
      ...options,
    }
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted
  }

  /** Now and every hour. */
  start(): void {
    const tick = () => {
      this.#running ??= this.collect()
        .catch((error: unknown) => this.#options.log.error({ err: error }, 'the collector failed; it tries again in an hour'))
        .finally(() => {
          this.#running = undefined
        })
    }
    tick()
    this.#timer = setInterval(tick, HOUR_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    clearInterval(this.#timer)
    await this.#running
  }

  async collect(now = Date.now()): Promise<Collected> {
    const uploads = await this.#sweepUploads(now)
    const links = await this.#releaseLinks(now)
    const spared = this.#spared()
    const blobs = (await this.#forgetBlobs(now, spared)) + (await this.#eraseStrays(now, spared))
    await this.#forgetHistories(now)
    if (!this.#stopped) await countStore(this.#options.db, this.#options.store, this.#options.storeKind)
    const wrong = await reconcileUsage(this.#options.db)
    if (wrong > 0)
      this.#options.log.warn({ organizations: wrong }, 'what organizations use was counted anew: it did not agree with their blobs')
    if (uploads + links + blobs > 0) this.#options.log.info({ uploads, links, blobs }, 'collected')
    return { uploads, links, blobs }
  }

  /** Whether it stays for the sake of a manifest that was lost. Those are looked for once, when there is something to erase. */
  #spared(): (digest: string) => Promise<boolean> {
    let needed: Promise<Set<string>> | undefined
    return async (digest) => {
      needed ??= blobsOfLostManifests(this.#options)
      return (await needed).has(digest)
    }
  }

  async #sweepUploads(now: number): Promise<number> {
    const { db, store, busyUploads, abandonedAfterMs } = this.#options
    const before = new Date(now - abandonedAfterMs)
    let swept = 0
    const sweep = async (uploadId: string) => {
      // Bytes first: a row without bytes is an upload that starts anew, bytes without a row are what the second loop is for.
      await store.discard(uploadId)
      await deleteUpload(db, uploadId)
      swept++
    }
    // Those that are written to now stay where they are in the order, so each group is looked for behind the last one.
    for (let after: { updatedAt: Date; id: string } | undefined; !this.#stopped; ) {
      const group = await abandonedUploads(db, { before, after, take: BATCH })
      for (const { id } of group) {
        if (!busyUploads.has(id) && !this.#stopped) await sweep(id)
      }
      after = group.at(-1)
      if (group.length < BATCH) break
    }
    for await (const group of batches(store.uploads())) {
      const known = await knownUploads(
        db,
        group.map((u) => u.uploadId),
      )
      for (const { uploadId, modifiedAt } of group) {
        if (!known.has(uploadId) && modifiedAt < before && !busyUploads.has(uploadId) && !this.#stopped) await sweep(uploadId)
      }
    }
    if (!this.#stopped) await store.sweep?.(before)
    return swept
  }

  async #releaseLinks(now: number): Promise<number> {
    const { db, graceMs, abandonedAfterMs } = this.#options
    const since = {
      before: new Date(now - graceMs),
      quietSince: new Date(now - Math.min(graceMs, QUIET_MS)),
      anyhowBefore: new Date(now - Math.max(graceMs, abandonedAfterMs)),
    }
    let released = 0
    const groups = this.#groups((after, take) => repositoriesWithLooseLinks(db, since, after, take))
    for await (const repositoryId of groups) released += await releaseLooseLinks(db, repositoryId, since)
    return released
  }

  /** One by one what `next` finds behind the last one of a group, until a group is short or the collector is stopped. */
  async *#groups(next: (after: string, take: number) => Promise<string[]>): AsyncIterable<string> {
    const { batch, pauseMs } = this.#options
    for (let after = ''; !this.#stopped; ) {
      const group = await next(after, batch)
      for (const one of group) {
        if (this.#stopped) return
        yield one
      }
      after = group.at(-1) ?? after
      if (group.length < batch) return
      await setTimeout(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined)
    }
  }

  async #forgetHistories(now: number): Promise<void> {
    const { db, batch, pauseMs } = this.#options
    while (!this.#stopped && (await forgetGoneTags(db, new Date(now - HISTORY_MS), batch)) === batch)
      await setTimeout(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined)
  }

  async #forgetBlobs(now: number, spared: (digest: string) => Promise<boolean>): Promise<number> {
    const { db, store, graceMs } = this.#options
    const before = new Date(now - graceMs)
    let erased = 0
    for await (const digest of this.#groups((after, take) => unlinkedBlobs(db, before, after, take))) {
      if ((await spared(digest)) || !(await forgetBlob(db, digest))) continue
      if (await eraseWithoutRow(db, digest, () => store.remove(digest))) erased++
    }
    return erased
  }

  async #eraseStrays(now: number, spared: (digest: string) => Promise<boolean>): Promise<number> {
    const { db, store, graceMs } = this.#options
    let erased = 0
    for await (const group of batches(store.blobs())) {
      if (this.#stopped) break
      const known = await knownBlobs(
        db,
        group.map((b) => b.digest),
      )
      for (const { digest, modifiedAt } of group) {
        if (known.has(digest) || modifiedAt.getTime() > now - graceMs || (await spared(digest))) continue
        if (await eraseWithoutRow(db, digest, () => store.remove(digest))) erased++
      }
    }
    return erased
  }
}

async function* batches<T>(items: AsyncIterable<T>): AsyncIterable<T[]> {
  let group: T[] = []
  for await (const item of items) {
    group.push(item)
    if (group.length < BATCH) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}
