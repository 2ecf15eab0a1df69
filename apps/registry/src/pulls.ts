import { type Db, type ManifestHead, recordPulls, recordSharePulls } from '@slipway/db'
import type { Logger } from 'pino'

const FLUSH_MS = 5000

/**
 * Counts pulls apart from the requests: one UPDATE every five seconds. A pull of a multi-platform image asks for two
 * manifests, so the same caller counts once per window, at its repository and at its tag. A crash loses one window at most.
 */
export class PullCounter {
  #repositories = new Map<string, Set<string>>()
  #tags = new Map<string, Set<string>>()
  #shares = new Map<string, Set<string>>()
  #manifests = new Set<string>()
  /** Docker and containerd ask what a tag is (HEAD) and then get the digest: `<caller> <digest>` → the tag that was meant. */
  #asked = new Map<string, string>()
  #askedBefore = new Map<string, string>()
  #timer: NodeJS.Timeout | undefined

  constructor(
    readonly db: Db,
    readonly log: Logger,
  ) {}

  start(): void {
    this.#timer = setInterval(() => void this.flush(), FLUSH_MS)
    this.#timer.unref()
  }

  /** Somebody looked which manifest `reference` is, and was given nothing yet. */
  asked(head: ManifestHead, reference: string, caller: string): void {
    if (!isDigest(reference)) this.#asked.set(`${caller} ${head.repositoryId} ${head.digest}`, reference)
  }

  /** `reference`: as it was asked for, a tag or a digest. */
  pulled(head: ManifestHead, reference: string, caller: string): void {
    const { id, repositoryId } = head
    add(this.#repositories, repositoryId, caller)
    this.#manifests.add(id)
    const share = /^share:(\S+)/.exec(caller)?.[1]
    if (share !== undefined) add(this.#shares, share, caller)
    const key = `${caller} ${repositoryId} ${head.digest}`
    const tag = isDigest(reference) ? (this.#asked.get(key) ?? this.#askedBefore.get(key)) : reference
    if (tag !== undefined) add(this.#tags, `${repositoryId} ${tag}`, caller)
  }

  async flush(): Promise<void> {
    const [repositories, tags, manifests, shares] = [this.#repositories, this.#tags, this.#manifests, this.#shares]
    this.#askedBefore = this.#asked
    this.#asked = new Map()
    if (repositories.size === 0) return
    this.#repositories = new Map()
    this.#tags = new Map()
    this.#manifests = new Set()
    this.#shares = new Map()
    try {
      await recordPulls(this.db, {
        at: new Date(),
        repositories: [...repositories].map(([id, callers]) => ({ id, count: callers.size })),
        tags: [...tags].map(([key, callers]) => {
          const [repositoryId = '', name = ''] = key.split(' ')
          return { repositoryId, name, count: callers.size }
        }),
        manifests: [...manifests],
      })
      const at = new Date()
      await recordSharePulls(
        this.db,
        [...shares].map(([shareId, callers]) => ({ shareId, count: callers.size, at })),
      )
    } catch (error) {
      // A number that is a little low is better than pulls that wait for it.
      this.log.warn({ err: error, repositories: repositories.size }, 'pull counts were not written')
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }
}

const isDigest = (reference: string) => reference.includes(':')

function add(callers: Map<string, Set<string>>, key: string, caller: string): void {
  const known = callers.get(key)
  if (known) known.add(caller)
  else callers.set(key, new Set([caller]))
}
