import type { Tx } from './client'
import type { Prisma } from './generated/client'

/** Installation-wide settings, one JSON value each; the reader parses it. */
export const readSetting = async (db: Tx, key: string): Promise<unknown> => (await db.setting.findUnique({ where: { key } }))?.value

export const writeSetting = (db: Tx, key: string, value: Prisma.InputJsonValue) =>
  db.setting.upsert({ where: { key }, create: { key, value }, update: { value } })

const WORKER_HEARTBEAT = 'worker.heartbeat'

/** The worker writes this every few seconds; `GET /api/health` calls it down when the last one is older than 15 s. */
export const writeWorkerHeartbeat = (db: Tx, version: string, now = Date.now()) => writeSetting(db, WORKER_HEARTBEAT, { version, at: now })

/** Null when no worker has ever run. */
export async function readWorkerHeartbeat(db: Tx): Promise<{ version: string; at: number } | null> {
  const value = await readSetting(db, WORKER_HEARTBEAT)
  if (typeof value !== 'object' || value === null || !('version' in value) || !('at' in value)) return null
  return { version: String(value.version), at: Number(value.at) }
}

/** `18.4`; also tells that the database answers. */
export async function databaseVersion(db: Tx): Promise<string | null> {
  const [row] = await db.$queryRaw<{ server_version: string }[]>`SHOW server_version`
  return row?.server_version.split(' ')[0] ?? null
}
