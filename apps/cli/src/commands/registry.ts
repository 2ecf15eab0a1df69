/** `slipway registry verify`: has everything that the registry keeps looked at, and waits for what it finds. `… keys`, `… rotate-keys`. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { type Command, InvalidArgumentError } from 'commander'
import { CliError, EXIT } from '../errors'
import { plain } from '../output'
import type { Action } from '../program'
import type { Session } from '../session'

const POLL_MS = 1000
const TELL_MS = 5000

interface Options {
  repair?: boolean
  rate?: number
  wait: boolean
}

export function registryCommands(program: Command, action: Action): void {
  const registry = program
    .command('registry')
    .description('look after the installation’s registry (owners and admins of its first organization)')
  registry
    .command('keys')
    .description('the keys that sign the registry’s tokens, and how old they are')
    .action(
      action(async (session) => {
        const client = await session.client()
        const view = await client.registryKeys.list.query({ org: await session.org() })
        session.answer(view, () => keyLines(view))
      }),
    )
  registry
    .command('rotate-keys')
    .description('sign with another key from now on; nobody has to log in again, and no restart is needed')
    .action(
      action(async (session) => {
        const client = await session.client()
        const view = await client.registryKeys.rotate.mutate({ org: await session.org() })
        session.answer(view, () => `Another key signs now. Tokens of the one before stay good until they end.\n${keyLines(view)}`)
      }),
    )
  registry
    .command('verify')
    .description('hash every blob again, compare manifests and rows; exit code 1 when something is left to do')
    .option('--repair', 'write anew what the bytes allow: links, sizes, layers')
    .option('--rate <MiB per second>', 'read at most so fast', positive)
    .option('--no-wait', 'only start it')
    .action(
      action(async (session, { repair, rate, wait }: Options) => {
        const client = await session.client()
        const org = await session.org()
        const started = await client.storage.verify.mutate({
          org,
          repair: repair ?? false,
          ...(rate !== undefined && { mibPerSecond: rate }),
        })
        if (!wait) return session.answer(started, () => `Started: ${started.totalBlobs} blobs, ${formatBytes(started.totalBytes)}.\n`)
        const end = await untilDone(session, org, started)
        session.answer(end, () => summary(end))
        const left = end.found - end.repaired
        if (end.state === 'done' && left === 0) return
        if (end.state !== 'done')
          throw new CliError(EXIT.failed, 'VERIFICATION_ENDED', end.error ?? 'The check was stopped before its end.')
        const hint = repair ? 'Push the images again that it names.' : 'Run it with --repair to mend what can be.'
        throw new CliError(EXIT.failed, 'REGISTRY_DAMAGED', `${left} ${left === 1 ? 'problem is' : 'problems are'} left.`, hint)
      }),
    )
}

const keyLines = ({ keys }: views.SigningKeysView): string =>
  keys
    .map(({ kid, signs, at, until }) => {
      const what = signs ? `signs since ${minute(at)}` : `retired ${minute(at)}, taken until ${until ? minute(until) : 'now'}`
      return `${plain(kid)}  ${what}\n`
    })
    .join('')

const minute = (at: Date) => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`

async function untilDone(session: Session, org: string, started: views.VerificationView): Promise<views.VerificationView> {
  const client = await session.client()
  let toldAt = 0
  for (let now = started; ; now = await client.storage.verification.query({ org, id: started.id })) {
    if (now.state !== 'queued' && now.state !== 'running') return now
    if (Date.now() - toldAt > TELL_MS) {
      toldAt = Date.now()
      session.note(progressOf(now))
    }
    // Ctrl-C ends the wait, not the check.
    await sleep(POLL_MS, undefined, { signal: session.signal })
  }
}

function progressOf({ state, phase, blobs, bytes, totalBlobs, totalBytes, manifests, totalManifests }: views.VerificationView): string {
  if (state === 'queued') return 'Waiting for the registry …'
  if (phase === 'blobs') return `${blobs} of ${totalBlobs} blobs, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`
  if (phase === 'records') return 'Looking for lost images'
  return phase === 'manifests' ? `${manifests} of ${totalManifests} manifests` : 'Comparing files'
}

function summary({ problems, blobs, bytes, manifests, files, found, repaired }: views.VerificationView): string {
  const lines = problems.map(({ kind, subject, text, repaired: done }) => `${done ? 'repaired' : 'problem '}  ${kind}  ${subject}  ${text}`)
  lines.push(`Looked at ${blobs} blobs (${formatBytes(bytes)}), ${manifests} manifests and ${files} files.`)
  lines.push(
    found === 0 ? 'Everything is as it was pushed.' : `${found} found, ${repaired} repaired or harmless, ${found - repaired} left.`,
  )
  return `${lines.map(plain).join('\n')}\n`
}

function positive(text: string): number {
  const number = Number(text)
  if (!(number >= 1 && number <= 10_000)) throw new InvalidArgumentError('Give a number from 1 to 10000.')
  return number
}
