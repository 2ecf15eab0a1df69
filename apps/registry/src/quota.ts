/** Limits of organizations at the door, so that bytes for which there is no room are not taken at all. */
import { type QuotaRefusal, quotaSentence } from '@slipway/core'
import {
  type Db,
  noteQuotaRefusal,
  openUploadBytes,
  organizationBlobSize,
  quotaRefusal,
  type Room,
  roomFor,
  touchUpload,
} from '@slipway/db'
import { RegistryError } from './errors'

/** For what is let in: the count of the transaction that links a blob decides, and no cache stands before that. */
const REMEMBER_MS = 500
const MAX_REMEMBERED = 1000
/** Bytes that an upload takes before it asks again what is left: so much of each is taken past a limit at most. */
export const ASK_EVERY = 8 * 1024 * 1024
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

/** An upload whose bytes come just now. */
interface Coming {
  id: string
  organizationId: string
  /** All that it has so far. */
  bytes: number
  /** Where it asks next. */
  until: number
  /** Of a blob that is there: up to here it takes no room. */
  free: number
  /** Other processes read its bytes in its row. */
  hasRow: boolean
}

/** Counts bytes as they come; at times there is something to wait for before they may be kept. */
export type Meter = (bytes: number) => Promise<void> | undefined

export class QuotaDoor {
  readonly #rooms = new Map<string, { room: Promise<Room>; asked: number }>()
  /** Of this process, by organization and id. */
  readonly #coming = new Map<string, Map<string, Coming>>()
  /** Those of one organization ask in turn: what one that is refused gives back, the next one has. */
  readonly #turns = new Map<string, Promise<void>>()

  constructor(readonly db: Db) {}

  /**
   * Bytes that the organization may still take, beside what its open uploads have taken; those of `upload` are not counted, as who goes
   * on with it tells its whole size. Undefined without a limit, and only that there is none is remembered: nothing is asked then.
   */
  async left(organizationId: string, upload?: string): Promise<number | undefined> {
    const begun = Date.now()
    if ((await this.#room(organizationId)).left === null) return undefined
    const { left } = await this.#room(organizationId, begun)
    return left === null ? undefined : left - (await this.#taken(organizationId, upload))
  }

  /** By other open uploads than `upload`: what those of this process have this moment, and the others told last. */
  async #taken(organizationId: string, upload: string | undefined): Promise<number> {
    const coming = this.#coming.get(organizationId)
    const ids = [...(coming?.keys() ?? []), ...(upload === undefined ? [] : [upload])]
    const told = await openUploadBytes(this.db, organizationId, ids)
    const others = [...(this.#coming.get(organizationId)?.values() ?? [])].filter(({ id, bytes, free }) => id !== upload && bytes > free)
    return told + others.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /**
   * Watches over the bytes of an upload while `work` takes them, each through the meter that it is given. `left` was asked for just
   * now; the meter asks again after every 8 MiB, and throws NoRoom where the upload has passed what there is for it then.
   */
  async watch<T>(
    { id, organizationId, bytes, left, free = 0, hasRow }: Omit<Coming, 'until' | 'free'> & { left: number; free?: number },
    work: (meter: Meter) => Promise<T>,
  ): Promise<T> {
    const coming: Coming = { id, organizationId, bytes, free, hasRow, until: nextAsk(bytes, Math.max(left, free)) }
    const ofOrganization = this.#coming.get(organizationId) ?? new Map<string, Coming>()
    this.#coming.set(organizationId, ofOrganization.set(id, coming))
    try {
      return await work((more) => {
        coming.bytes += more
        return coming.bytes > coming.until ? this.#inTurn(organizationId, () => this.#askAgain(coming)) : undefined
      })
    } finally {
      ofOrganization.delete(id)
      if (ofOrganization.size === 0) this.#coming.delete(organizationId)
    }
  }

  async #askAgain(coming: Coming): Promise<void> {
    const { id, organizationId, free, hasRow } = coming
    const left = await this.left(organizationId, id)
    if (left === undefined) {
      coming.until = nextAsk(coming.bytes, Number.POSITIVE_INFINITY)
      return
    }
    const most = Math.max(left, free)
    if (coming.bytes > most) {
      // It is at its end: what it took, the others have.
      coming.bytes = 0
      throw await this.noRoom(organizationId, left, left + 1)
    }
    coming.until = nextAsk(coming.bytes, most)
    if (hasRow) await touchUpload(this.db, id, coming.bytes)
  }

  async #inTurn(organizationId: string, ask: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(organizationId)
    const asked = before ? before.then(ask) : ask()
    const turn = asked.catch(() => undefined)
    this.#turns.set(organizationId, turn)
    try {
      await asked
    } finally {
      if (this.#turns.get(organizationId) === turn) this.#turns.delete(organizationId)
    }
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
    if (digest !== undefined && (await organizationBlobSize(this.db, organizationId, digest)) !== undefined) return
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

const nextAsk = (bytes: number, left: number) => Math.min(bytes + ASK_EVERY, Math.max(left, 0))

/** What was thrown, or for a limit of `organization` (its slug) the error that says so, noted for those who are told. */
export async function refuseOverQuota(db: Db, organization: string, thrown: unknown): Promise<unknown> {
  const found = thrown instanceof NoRoom ? { ...thrown.refusal, organizationId: thrown.organizationId } : quotaRefusal(thrown)
  if (!found) return thrown
  const { organizationId, ...detail } = found
  await noteQuotaRefusal(db, organizationId)
  return new RegistryError('DENIED', quotaSentence(detail, organization), { status: 403, detail, cause: thrown })
}
