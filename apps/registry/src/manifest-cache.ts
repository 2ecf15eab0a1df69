/** Bytes of manifests by digest. Only what a row of the asked repository names is taken from here, so it grants nothing. */
export class ManifestCache {
  readonly #entries = new Map<string, Buffer>()
  #bytes = 0

  constructor(readonly maxBytes = 16 * 1024 * 1024) {}

  get(digest: string): Buffer | undefined {
    const content = this.#entries.get(digest)
    if (content) {
      // Most recently used last.
      this.#entries.delete(digest)
      this.#entries.set(digest, content)
    }
    return content
  }

  set(digest: string, content: Buffer): void {
    if (content.byteLength > this.maxBytes / 4 || this.#entries.has(digest)) return
    this.#entries.set(digest, content)
    this.#bytes += content.byteLength
    for (const [oldest, old] of this.#entries) {
      if (this.#bytes <= this.maxBytes) break
      this.#entries.delete(oldest)
      this.#bytes -= old.byteLength
    }
  }
}
