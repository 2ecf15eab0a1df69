/** Limits of organizations at the door, so that bytes for which there is no room are not taken at all. */
import { type QuotaRefusal, quotaSentence } from '@slipway/core'
import { type Db, noteQuotaRefusal, openUploadBytes, organizationHasBlob, quotaRefusal, type Room, roomFor } from '@slipway/db'
import { RegistryError } from './errors'

/** For what is let in: the count of the transaction that links a blob decides, and no cache stands before that. */
const REMEMBER_MS = 500
const MAX_REMEMBERED = 1000
/** Of one organization: far above what pushes have open (docker: five each), far below what hurts (10,000 take 46 MB). */
export const MAX_OPEN_UPLOADS = 5000

/** Thrown where there is no room; `refuseOverQuota` makes the sentence of it. */
export class NoRoom extends Error {
  constructor(
    readonly organizationId: string,
    readonly refusal: QuotaRefusal,
  ) {
    super('no room')
  }
}

export class QuotaDoor {
  readonly #rooms = new Map<string, { room: Promise<Room>; asked: number }>()

  constructor(readonly db: Db) {}

  /**
   * Bytes that the organization may still take, beside what its open uploads have taken; those of `upload` are not counted, as who goes
   * on with it tells its whole size. Undefined without a limit, and only that there is none is remembered: nothing is asked then.
   */
  async left(organizationId: string, upload?: string): Promise<number | undefined> {
    const begun = Date.now()
    if ((await this.#room(organizationId)).left === null) return undefined
    const { left } = await this.#room(organizationId, begun)
    return left === null ? undefined : left - (await openUploadBytes(this.db, organizationId, upload))
  }

  /** What to throw where `left` was too little for `wanted` bytes. What open uploads have taken is used, too. */
  async noRoom(organizationId: string, left: number, wanted: number): Promise<NoRoom> {
    const { refusal } = await this.#room(organizationId)
    return new NoRoom(organizationId, { ...refusal, used: refusal.limit - left, wanted })
  }

  /** Throws NoRoom when `bytes` more are too many, unless the organization has the blob already. `some`: a blob whose size is not told yet. */
  async assertRoom(organizationId: string, bytes: number | 'some', digest?: string): Promise<void> {
    const begun = Date.now()
    const fits = ({ left }: Room) => left === null || (bytes === 'some' ? 1 : bytes) <= left
    if (fits(await this.#room(organizationId))) return
    // Refused by what holds now only: somebody who raised the limit, or made room, tries again at once.
    const room = await this.#room(organizationId, begun)
    if (fits(room)) return
    if (digest !== undefined && (await organizationHasBlob(this.db, organizationId, digest))) return
    throw new NoRoom(organizationId, { ...room.refusal, wanted: bytes === 'some' ? 0 : bytes })
  }

  /** As asked at `since` or later: those who are refused together ask once. */
  #room(organizationId: string, since = Date.now() - REMEMBER_MS): Promise<Room> {
    const kept = this.#rooms.get(organizationId)
    if (kept && kept.asked > since) return kept.room
    const room = roomFor(this.db, organizationId)
    this.#rooms.delete(organizationId)
    this.#rooms.set(organizationId, { room, asked: Date.now() })
    // An answer that did not come is asked for again.
    room.catch(() => this.#rooms.delete(organizationId))
    const oldest = this.#rooms.keys().next().value
    if (this.#rooms.size > MAX_REMEMBERED && oldest !== undefined) this.#rooms.delete(oldest)
    return room
  }
}

/** What was thrown, or for a limit of `organization` (its slug) the error that says so, noted for those who are told. */
export async function refuseOverQuota(db: Db, organization: string, thrown: unknown): Promise<unknown> {
  const found = thrown instanceof NoRoom ? { ...thrown.refusal, organizationId: thrown.organizationId } : quotaRefusal(thrown)
  if (!found) return thrown
  const { organizationId, ...detail } = found
  await noteQuotaRefusal(db, organizationId)
  return new RegistryError('DENIED', quotaSentence(detail, organization), { status: 403, detail, cause: thrown })
}
