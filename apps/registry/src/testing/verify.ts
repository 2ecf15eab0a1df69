import { randomUUID } from 'node:crypto'
import { createVerification, type Db, type VerificationProblem } from '@slipway/db'
import { pino } from 'pino'
import { Integrity } from '../integrity/integrity'
import type { BlobStore } from '../store/store'
import { runVerification } from '../verify/verifier'

/** A verification from its beginning to its end: what it found. */
export async function verifyStore({ db }: { db: Db }, store: BlobStore, repair = false): Promise<VerificationProblem[]> {
  const log = pino({ level: 'silent' })
  const holder = randomUUID()
  const row = await createVerification(db, { requestedBy: 'test', repair, bytesPerSecond: null, holder })
  if (!row) throw new Error('another verification is under way')
  return (await runVerification({ db, store, log, integrity: new Integrity({ db, store, log }) }, row, holder)).problems
}
