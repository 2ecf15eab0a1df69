/**
 * Upload sessions that this process began a moment ago: the request with the bytes comes right behind, and need not ask PostgreSQL
 * for what was written there. Only a moment, as their repository may be renamed or deleted, or another process end them; what such
 * a session then brings is still linked to no other repository, and only with the right digest.
 */
const REMEMBER_MS = 1000
const MAX_REMEMBERED = 1000

export interface OpenUpload {
  repositoryId: string
  organizationId: string
}

interface Session extends OpenUpload {
  name: string
  uploadId: string
}

export class RecentUploads {
  readonly #sessions = new Map<string, Session & { until: number }>()

  remember(session: Session): void {
    this.#sessions.set(session.uploadId, { ...session, until: Date.now() + REMEMBER_MS })
    const oldest = this.#sessions.keys().next().value
    if (this.#sessions.size > MAX_REMEMBERED && oldest !== undefined) this.#sessions.delete(oldest)
  }

  /** Once, and only through the repository it was started in: who comes again is looked up. */
  take(name: string, uploadId: string): OpenUpload | undefined {
    const session = this.#sessions.get(uploadId)
    if (session?.name !== name) return undefined
    this.#sessions.delete(uploadId)
    return session.until > Date.now() ? session : undefined
  }
}
