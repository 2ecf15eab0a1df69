/**
 * `node dist/main.js verify [--repair] [--rate <MiB/s>]`: the walk in a process of its own, with the service's settings. It needs the
 * database and the store, not the panel; the service may run meanwhile. Ends with 0 when all is well (or was repaired), 2 when
 * something is left for somebody to do, 1 when it could not be done.
 */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { claimVerification, createDb, createVerification, type VerificationProgress, type VerificationRow } from '@slipway/db'
import { pino } from 'pino'
import { readSettings } from '../env'
import { Integrity } from '../integrity/integrity'
import { addRepairers } from '../integrity/repairers'
import { ManifestCache } from '../manifest-cache'
import { openSealer } from '../sealer'
import { openStore } from '../store/open'
import { Upstreams } from '../upstream/upstreams'
import { runVerification, VerificationLostError } from './verifier'

const USAGE = 'Usage: verify [--repair] [--rate <MiB per second>]'
const MIB = 1024 ** 2

export async function verifyCommand(argv: readonly string[], out: (line: string) => void): Promise<number> {
  const options = parseOptions(argv)
  if (!options) {
    out(USAGE)
    return 1
  }
  const settings = readSettings()
  const db = createDb(settings.databaseUrl, { poolSize: 4, direct: true })
  const store = await openStore(settings.store)
  const log = pino({ name: 'registry-verify', level: 'silent' })
  const sealer = openSealer(settings.secrets, log)
  const busyUploads = new Set<string>()
  const { maxBlobBytes } = settings
  const upstreams = new Upstreams({
    registry: { db, store, log, manifests: new ManifestCache(), busyUploads, maxBlobBytes },
    ...(sealer && { sealer }),
  })
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const holder = randomUUID()
  try {
    const made = await createVerification(db, { requestedBy: 'command', repair: options.repair, bytesPerSecond: options.rate, holder })
    const row = made ?? (await claimVerification(db, holder))
    if (!row) {
      out('A verification is under way already; the storage page of the panel shows it.')
      return 1
    }
    if (!made) out(`Going on with the one of ${row.createdAt.toISOString()}, at its settings (${row.repair ? 'with' : 'without'} repair).`)
    const told = new Set<string>()
    const tell = progressTeller(row, out)
    const onProgress = (progress: VerificationProgress) => {
      for (const { kind, subject, text, repaired } of progress.problems) {
        const line = `${repaired ? 'repaired' : 'problem '}  ${kind}  ${subject}  ${text}`
        if (!told.has(line)) out(line)
        told.add(line)
      }
      tell(progress)
    }
    const integrity = new Integrity({ db, store, log })
    if (row.repair) addRepairers(integrity, upstreams, { db, store, log, busyUploads, sealer })
    const end = await runVerification({ db, store, integrity, log, onProgress, signal: stop.signal }, row, holder)
    return summary(end, row.repair, out)
  } catch (error) {
    if (stop.signal.aborted) out('Stopped. The next verification goes on from here.')
    else
      out(
        error instanceof VerificationLostError
          ? 'It was cancelled in the panel.'
          : `verify: ${error instanceof Error ? error.message : String(error)}`,
      )
    return 1
  } finally {
    await upstreams.stop()
    await db.$disconnect()
  }
}

function parseOptions(argv: readonly string[]): { repair: boolean; rate: number | null } | undefined {
  try {
    const { values } = parseArgs({ args: [...argv], options: { repair: { type: 'boolean' }, rate: { type: 'string' } } })
    const rate = values.rate === undefined ? null : Number(values.rate)
    if (rate !== null && !(rate > 0 && rate <= 100_000)) return undefined
    return { repair: values.repair ?? false, rate: rate === null ? null : Math.ceil(rate * MIB) }
  } catch {
    return undefined
  }
}

/** A line every two seconds: this may run for hours, and its output may be a file. */
function progressTeller(row: VerificationRow, out: (line: string) => void) {
  let last = 0
  return ({ phase, blobs, bytes, files, manifests }: VerificationProgress) => {
    if (Date.now() - last < 2000) return
    last = Date.now()
    const total = `${(Number(row.totalBytes) / MIB).toFixed(0)} MiB`
    const done = `${blobs} of ${row.totalBlobs} blobs, ${(Number(bytes) / MIB).toFixed(0)} of ${total}`
    const lines = { blobs: done, records: 'Looking for lost images', manifests: `${manifests} of ${row.totalManifests} manifests` }
    out(phase in lines ? lines[phase as keyof typeof lines] : `${files} files`)
  }
}

function summary(end: VerificationProgress, repair: boolean, out: (line: string) => void): number {
  const { blobs, bytes, manifests, files, found, repaired } = end
  out(`Looked at ${blobs} blobs (${(Number(bytes) / MIB).toFixed(1)} MiB), ${manifests} manifests and ${files} files.`)
  const left = found - repaired
  if (found === 0) out('Everything is as it was pushed.')
  else
    out(
      `${found} found, ${repaired} repaired or harmless, ${left} left.${left > 0 && !repair ? ' Run it with --repair to mend what can be.' : ''}`,
    )
  return left > 0 ? 2 : 0
}
