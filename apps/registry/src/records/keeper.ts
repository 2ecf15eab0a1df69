/**
 * Keeps the store's records as the database says, a few seconds behind it: no push waits for them. Those that one process has not come
 * to, another one writes, or the same after its next start.
 */
import { setTimeout } from 'node:timers/promises'
import { type Db, type RecordState, takeRecordChanges } from '@slipway/db'
import type { Logger } from 'pino'
import type { BlobStore, RecordWrite } from '../store/store'
import { recordKey } from './keys'
import { recordContent } from './record'

const LOOK_MS = 2000
/** After a failure: the store may be full or away, and pushes need the database more than we do. */
const REST_MS = 60_000
/** Between two groups of many, for the disk is the pushes' too. */
const PAUSE_MS = 20

export interface KeeperOptions {
  db: Db
  store: BlobStore
  log: Logger
}

export class RecordKeeper {
  readonly #options: KeeperOptions
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const rest = await this.keep().then(
        () => LOOK_MS,
        (error: unknown) => {
          this.#options.log.error(
            { err: error },
            'copies of manifests and tags could not be written into the store; it tries again in a minute',
          )
          return REST_MS
        },
      )
      await setTimeout(rest, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  /** Until there is nothing left to write. */
  async keep(): Promise<number> {
    const { db, store } = this.#options
    let kept = 0
    while (!this.#stop.signal.aborted) {
      const taken = await takeRecordChanges(db, (states) => store.keep(states.flatMap((state) => this.#write(state))))
      if (taken === 0) break
      kept += taken
      await setTimeout(PAUSE_MS)
    }
    return kept
  }

  #write(state: RecordState): RecordWrite[] {
    const key = recordKey(state)
    if (key !== undefined) return [{ key, content: recordContent(state) }]
    const { kind, repositoryId } = state
    this.#options.log.warn(
      { kind, repositoryId },
      'the name of a manifest or tag is none that a file can have: the store keeps no copy of it',
    )
    return []
  }
}
