import { newId } from '@slipway/core'
import type { Tx } from './client'

export interface HostKey {
  /** As known_hosts names it. */
  host: string
  keyType: string
  /** base64 */
  key: string
}

export const listKnownHosts = (db: Tx, organizationId: string) =>
  db.knownHost.findMany({ where: { organizationId }, orderBy: [{ host: 'asc' }, { keyType: 'asc' }] })

/** What is known already stays as it is: the first answer counts. */
export const learnHosts = (db: Tx, organizationId: string, keys: HostKey[]) =>
  db.knownHost.createMany({ data: keys.map((key) => ({ id: newId('knownHost'), organizationId, ...key })), skipDuplicates: true })

/** The row that is gone, or null when the organization has no such one. */
export async function forgetKnownHost(tx: Tx, organizationId: string, id: string) {
  const row = await tx.knownHost.findFirst({ where: { id, organizationId } })
  if (row) await tx.knownHost.deleteMany({ where: { id, organizationId } })
  return row
}
