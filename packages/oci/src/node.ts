/** What needs Node: hashing of streams, and keys in files. Apart from the index, so that the rest runs in a browser. */
import { createHash } from 'node:crypto'
import { Transform, type TransformCallback } from 'node:stream'
import { AppError } from '@slipway/core'
import { type DigestAlgorithm, parseDigest } from './digest'

export {
  publicHalf,
  readSigningKey,
  readSigningKeys,
  retiredKeys,
  rotateSigningKey,
  type SigningKeys,
  thumbprint,
  type VerifyingKey,
} from './signing-keys'

/** A running digest, fed chunk by chunk. `current()` may be asked at any time and does not end it. */
export class StreamingDigest {
  readonly #hash
  readonly algorithm: DigestAlgorithm
  #bytes = 0

  constructor(algorithm: DigestAlgorithm = 'sha256') {
    this.algorithm = algorithm
    this.#hash = createHash(algorithm)
  }

  update(chunk: Uint8Array): this {
    this.#hash.update(chunk)
    this.#bytes += chunk.byteLength
    return this
  }

  /** Bytes hashed so far. */
  get bytes(): number {
    return this.#bytes
  }

  current(): string {
    return `${this.algorithm}:${this.#hash.copy().digest('hex')}`
  }
}

export const digestBytes = (bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`

/**
 * Passes bytes through and fails at the end with `DIGEST_MISMATCH` (or `SIZE_MISMATCH`, as soon as there are too many)
 * unless they are what the descriptor says. The consumer must not make anything visible before the stream's end.
 */
export class VerifyStream extends Transform {
  readonly #digest: StreamingDigest
  readonly #expected: string
  readonly #size: number | undefined

  constructor(expected: string, size?: number) {
    super()
    this.#digest = new StreamingDigest(parseDigest(expected).algorithm)
    this.#expected = expected
    this.#size = size
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#digest.update(chunk)
    if (this.#size !== undefined && this.#digest.bytes > this.#size) done(this.#sizeError())
    else done(null, chunk)
  }

  override _flush(done: TransformCallback): void {
    done(this.#problem())
  }

  #problem(): AppError | undefined {
    if (this.#size !== undefined && this.#digest.bytes !== this.#size) return this.#sizeError()
    if (this.#digest.current() === this.#expected) return undefined
    const message = `The content does not have the digest ${this.#expected}. It was damaged on the way; try again.`
    return new AppError({ kind: 'bad-input', code: 'DIGEST_MISMATCH', message, cause: this.#digest.current() })
  }

  #sizeError(): AppError {
    const message = `The content is not ${this.#size} bytes long, as its descriptor says. It was damaged on the way; try again.`
    return new AppError({ kind: 'bad-input', code: 'SIZE_MISMATCH', message })
  }
}
