/** What a walk gives: a folder as a tree of digests. Digests here have no `sha256:`. */

export interface ContextFile {
  path: string
  size: number
}

/** A directory's object, and the digests of the files right in it. */
export interface ContextTree {
  readonly object: Buffer
  readonly blobs: readonly string[]
}

export interface Context {
  root: string
  trees: Map<string, ContextTree>
  blobs: ContextBlobs
  entries: number
  bytes: number
  /** Files that were read because nothing was known of them, or they changed. */
  read: number
}

/** Digest → one file that has this content. Of directories that are as they were it is made when somebody asks: mostly nobody does. */
export class ContextBlobs {
  readonly #files = new Map<string, ContextFile>()
  #later: (() => void)[] = []

  set(digest: string, file: ContextFile): void {
    this.#files.set(digest, file)
  }

  later(add: () => void): void {
    this.#later.push(add)
  }

  get(digest: string): ContextFile | undefined {
    const known = this.#files.get(digest)
    if (known || this.#later.length === 0) return known
    const later = this.#later
    this.#later = []
    for (const add of later) add()
    return this.#files.get(digest)
  }

  has(digest: string): boolean {
    return this.get(digest) !== undefined
  }
}

/** Of a directory that is as it was: made when it must be sent after all. */
export class LaterTree implements ContextTree {
  readonly #make: () => ContextTree
  #made: ContextTree | undefined

  constructor(make: () => ContextTree) {
    this.#make = make
  }

  get object(): Buffer {
    return this.#tree().object
  }

  get blobs(): readonly string[] {
    return this.#tree().blobs
  }

  #tree(): ContextTree {
    this.#made ??= this.#make()
    return this.#made
  }
}
