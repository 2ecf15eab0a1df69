import { Transform, type TransformCallback } from 'node:stream'
import { parseDigest } from '@slipway/oci'
import { StreamingDigest } from '@slipway/oci/node'

/** What was read has another digest than it was asked for by. Nobody may be made to believe that it is whole. */
export class DamagedOnDiskError extends Error {
  constructor(readonly digest: string) {
    super('the bytes in the store do not have their digest')
    this.name = 'DamagedOnDiskError'
  }
}

/** Hashes a blob on its way out. The last piece may leave only after `confirm`, so that a damaged blob never arrives whole. */
export class Witness {
  readonly #hash: StreamingDigest

  constructor(readonly digest: string) {
    this.#hash = new StreamingDigest(parseDigest(digest).algorithm)
  }

  see(piece: Uint8Array): void {
    this.#hash.update(piece)
  }

  /** Throws unless all that was seen is the blob. */
  confirm(): void {
    if (this.#hash.current() !== this.digest) throw new DamagedOnDiskError(this.digest)
  }
}

/** A stream that keeps its last chunk until the witness has confirmed the whole. */
export class HeldBack extends Transform {
  #last: Buffer | undefined

  constructor(readonly witness: Witness) {
    super()
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.witness.see(chunk)
    const before = this.#last
    this.#last = chunk
    done(null, before)
  }

  override _flush(done: TransformCallback): void {
    try {
      this.witness.confirm()
      done(null, this.#last)
    } catch (error) {
      done(error as Error)
    }
  }
}
