/**
 * A walk over everything (`slipway registry verify`): every blob is read and hashed, every record of a manifest or tag looked for in the
 * database, every manifest compared with its copy, its rows and its links, every file looked for in the database. Pushes and pulls go on meanwhile. Where it has come to is saved each second, so another
 * process goes on after a crash.
 *
 * A blob that is damaged is taken out of service either way; with `repair`, what can be made anew from the bytes is.
 */
import {
  blobsAfter,
  type Db,
  endVerification,
  findBlob,
  knownBlobs,
  manifestsAfter,
  releaseVerification,
  repositoryIdsAfter,
  type StoredBlob,
  saveVerification,
  setBlobSize,
  type VerificationProblem,
  type VerificationProgress,
  type VerificationRow,
} from '@slipway/db'
import type { Logger } from 'pino'
import type { Integrity } from '../integrity/integrity'
import { Pace } from '../integrity/pace'
import { blobsOfLostManifests } from '../records/lost'
import type { BlobStore } from '../store/store'
import { checkManifest } from './manifest-check'
import { checkRecords } from './records'

export const PHASES = ['blobs', 'records', 'manifests', 'files'] as const
const SAVE_MS = 1000
const BLOBS = 200
/** Each comes with its bytes, up to 4 MiB. */
const MANIFESTS = 20
const REPOSITORIES = 1000
const KEPT_PROBLEMS = 200
const DEFAULT_BYTES_PER_SECOND = 200 * 1024 ** 2
/** What came later may be a push that has placed its file and not yet written its row. */
const FRESH_MS = 3_600_000

export type Report = (problem: VerificationProblem) => void

export interface VerifierOptions {
  db: Db
  store: BlobStore
  integrity: Integrity
  log: Logger
  /** Each time something was looked at, for a person who waits. */
  onProgress?: (progress: VerificationProgress) => void
  signal?: AbortSignal
}

/** Somebody cancelled it, or another process took it over. */
export class VerificationLostError extends Error {
  constructor() {
    super('this verification was cancelled, or another process goes on with it')
    this.name = 'VerificationLostError'
  }
}

/** Works on a verification that `holder` has claimed, to its end. Resolves to what was found. */
export async function runVerification(options: VerifierOptions, row: VerificationRow, holder: string): Promise<VerificationProgress> {
  const walk = new Walk(options, row, holder)
  try {
    await walk.go()
    await endVerification(options.db, row.id, holder, 'done')
  } catch (error) {
    if (options.signal?.aborted) await releaseVerification(options.db, row.id, holder)
    else if (!(error instanceof VerificationLostError)) {
      options.log.error({ err: error, verification: row.id }, 'a verification failed')
      await endVerification(options.db, row.id, holder, 'failed', error instanceof Error ? error.message.slice(0, 500) : 'unknown')
    }
    throw error
  } finally {
    walk.end()
  }
  return walk.progress
}

class Walk {
  readonly progress: VerificationProgress
  readonly #options: VerifierOptions
  readonly #repair: boolean
  readonly #pace: Pace
  readonly #save: () => Promise<void>
  /** So that a single large blob does not outlast the lease. */
  readonly #heartbeat: NodeJS.Timeout
  #savedAt = 0

  constructor(options: VerifierOptions, row: VerificationRow, holder: string) {
    const { phase, cursor, blobs, bytes, files, manifests, found, repaired } = row
    const problems = row.problems as unknown as VerificationProblem[]
    this.progress = { phase, cursor, blobs, bytes, files, manifests, found, repaired, problems }
    this.#options = options
    this.#repair = row.repair
    this.#pace = new Pace(Number(row.bytesPerSecond ?? DEFAULT_BYTES_PER_SECOND), options.signal)
    this.#save = async () => {
      this.#savedAt = Date.now()
      if (!(await saveVerification(options.db, row.id, holder, this.progress))) throw new VerificationLostError()
    }
    this.#heartbeat = setInterval(() => void this.#save().catch(() => undefined), 20_000)
    this.#heartbeat.unref()
  }

  end(): void {
    clearInterval(this.#heartbeat)
  }

  async go(): Promise<void> {
    for (const phase of PHASES.slice((PHASES as readonly string[]).indexOf(this.progress.phase))) {
      if (this.progress.phase !== phase) Object.assign(this.progress, { phase, cursor: '' })
      await this.#save()
      await this[phase]()
    }
    await this.#save()
  }

  async blobs(): Promise<void> {
    for (;;) {
      const group = await blobsAfter(this.#options.db, this.progress.cursor, BLOBS)
      if (group.length === 0) return
      for (const blob of group) {
        await this.#blob(blob)
        this.progress.blobs++
        this.progress.bytes += BigInt(blob.size)
        await this.#step(blob.digest)
      }
    }
  }

  async #blob({ digest, size, damagedAt }: StoredBlob): Promise<void> {
    const { db, integrity } = this.#options
    const verdict = await integrity.check(digest, 'verify', this.#pace)
    if (verdict.state === 'sound') {
      if (damagedAt) {
        const text = 'It had been found damaged before; its bytes are right now.'
        this.#report({ kind: 'blob-healed', subject: digest, text, repaired: true })
      }
      if (verdict.size !== size && (await findBlob(db, digest))?.size === size) {
        if (this.#repair) await setBlobSize(db, digest, verdict.size)
        const text = `It has ${verdict.size} bytes; the database said ${size}.`
        this.#report({ kind: 'blob-size', subject: digest, text, repaired: this.#repair })
      }
      return
    }
    // Collected since.
    if (!(await findBlob(db, digest))) return
    if (verdict.state === 'missing') {
      const text = 'It has a row and no file. Push an image that has it again.'
      this.#report({ kind: 'blob-missing', subject: digest, text, repaired: false })
      return
    }
    const text = 'Its bytes have another digest; they were moved aside. Push an image that has it again.'
    this.#report({ kind: 'blob-damaged', subject: digest, text, repaired: false })
  }

  /** Before the manifests: those that come back are looked at there as all others are. */
  async records(): Promise<void> {
    const { db, store } = this.#options
    const ids = new Set<string>()
    for await (const key of store.records()) ids.add(key.slice(0, key.indexOf('/')))
    for (let after = ''; ; ) {
      const group = await repositoryIdsAfter(db, after, REPOSITORIES)
      for (const id of group) ids.add(id)
      after = group.at(-1) ?? after
      if (group.length < REPOSITORIES) break
    }
    for (const id of [...ids].filter((one) => one > this.progress.cursor).sort()) {
      await checkRecords(this.#options, id, this.#repair, (problem) => this.#report(problem))
      await this.#step(id)
    }
  }

  async manifests(): Promise<void> {
    const { db } = this.#options
    for (;;) {
      const group = await manifestsAfter(db, this.progress.cursor, MANIFESTS)
      if (group.length === 0) return
      for (const row of group) {
        await checkManifest(this.#options, row, this.#repair, (problem) => this.#report(problem))
        this.progress.manifests++
        await this.#step(row.id)
      }
    }
  }

  /** Not resumed in the middle: it reads names only. */
  async files(): Promise<void> {
    const { db, store } = this.#options
    this.progress.files = 0
    const spared = await blobsOfLostManifests(this.#options)
    let group: { digest: string; size: number; modifiedAt: Date }[] = []
    const compare = async () => {
      const known = await knownBlobs(
        db,
        group.map((blob) => blob.digest),
      )
      for (const { digest, modifiedAt } of group) {
        this.progress.files++
        if (known.has(digest) || spared.has(digest) || Date.now() - modifiedAt.getTime() < FRESH_MS) continue
        this.#report({
          kind: 'stray',
          subject: digest,
          text: 'A file without a row. The collector takes it at its next run.',
          repaired: true,
        })
      }
      group = []
      await this.#step('')
    }
    for await (const blob of store.blobs()) {
      group.push(blob)
      if (group.length >= BLOBS) await compare()
    }
    await compare()
  }

  #report(problem: VerificationProblem): void {
    const { progress } = this
    progress.found++
    if (problem.repaired) progress.repaired++
    // Those that need somebody stay in sight.
    if (progress.problems.length < KEPT_PROBLEMS) progress.problems.push(problem)
    else {
      const at = problem.repaired ? -1 : progress.problems.findLastIndex((one) => one.repaired)
      if (at >= 0) progress.problems[at] = problem
    }
    this.#options.log.warn({ ...problem }, 'verification found something')
  }

  async #step(cursor: string): Promise<void> {
    this.progress.cursor = cursor
    this.#options.signal?.throwIfAborted()
    this.#options.onProgress?.(this.progress)
    if (Date.now() - this.#savedAt >= SAVE_MS) await this.#save()
  }
}
