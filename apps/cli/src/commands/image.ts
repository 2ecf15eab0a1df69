/** `slipway image copy`: from any registry to any other; only what the target lacks moves. */
import { type ErrorKind, formatBytes, isAppError } from '@slipway/core'
import { familiarReference, parseReference, type Reference, referenceTarget } from '@slipway/oci'
import { type CopyProgress, type CopyResult, copyImage } from '@slipway/oci/copy'
import type { Command } from 'commander'
import { CliError, EXIT, type ExitCode, usage } from '../errors'
import { plain } from '../output'
import type { Action } from '../program'
import { openRegistry } from '../registries/open'
import type { Session } from '../session'

interface Options {
  platform: string[]
  plainHttp: string[]
  referrers: boolean
}

const REDRAW_MS = 200
const TELL_MS = 5000

export function imageCommands(program: Command, action: Action): void {
  program
    .command('image')
    .description('images in registries, this server’s and others')
    .command('copy')
    .argument('<source>', 'name of the image, as for docker pull: ghcr.io/acme/api:1.0, slipway.local/<org>/<name>:<tag>')
    .argument('<target>', 'where it goes; without a tag it gets the source’s')
    .description('copy an image from any registry to any other, whole; what is there is not moved')
    .option('--platform <list>', 'only these platforms, separated by commas (default: all)', list, [])
    .option('--no-referrers', 'leave out what refers to the image: SBOMs, signatures')
    .option('--plain-http <host>', 'speak with this registry without encryption, may be repeated', collect, [])
    .addHelpText('after', '\nLogins are docker’s (docker login), and this command line’s own for the server it is signed in to.')
    .action(
      action(async (session, options: Options, from: string, to: string) => {
        const source = parseReference(from)
        const target = parseReference(to)
        const tag = targetTag(source, target, to)
        const result = await copy(session, { source, target, tag }, options)
        const name = familiarReference({
          registry: target.registry,
          repository: target.repository,
          ...(tag === null ? {} : { tag }),
          digest: result.digest,
        })
        session.answer({ source: familiarReference(source), target: name, ...result }, () => summary(name, result))
      }),
    )
}

/** Null: by its digest only. */
function targetTag(source: Reference, target: Reference, written: string): string | null {
  if (target.digest) throw usage('The target has a digest; the image decides that.', 'Write a tag, or none.')
  const named = written.slice(written.lastIndexOf('/') + 1).includes(':')
  return named ? (target.tag ?? null) : source.digest === undefined ? (source.tag ?? null) : null
}

interface Names {
  source: Reference
  target: Reference
  tag: string | null
}

async function copy(session: Session, { source, target, tag }: Names, options: Options): Promise<CopyResult> {
  const told = progress(session)
  const opened = []
  try {
    const from = await openRegistry(session, source, options.plainHttp)
    opened.push(from)
    const to = await openRegistry(session, target, options.plainHttp)
    opened.push(to)
    // Within one registry what the source has need not move at all.
    const mountFrom = source.registry === target.registry ? () => source.repository : undefined
    const { platform: platforms, referrers } = options
    const names = { reference: referenceTarget(source), tag }
    return await copyImage(from, to, names, {
      signal: session.signal,
      onProgress: told.note,
      platforms,
      referrers,
      ...(mountFrom && { mountFrom }),
    })
  } catch (error) {
    if (isAppError(error))
      throw new CliError(BY_KIND[error.kind] ?? EXIT.failed, error.code, plain(error.message), hintFor(error.code), error)
    throw error
  } finally {
    told.end()
    for (const one of opened) one.close()
  }
}

/** Of registries, as they answer to this command. */
const BY_KIND: Partial<Record<ErrorKind, ExitCode>> = {
  'bad-input': EXIT.usage,
  forbidden: EXIT.auth,
  unauthenticated: EXIT.auth,
  'not-found': EXIT.notFound,
  unavailable: EXIT.unreachable,
  'rate-limited': EXIT.refused,
}
const hintFor = (code: string) =>
  code === 'REGISTRY_DENIED' ? 'Log in with docker login, or sign in to the server with slipway login.' : undefined

/** One line that is drawn over on a terminal; a line now and then elsewhere. */
function progress(session: Session) {
  const live = session.io.isTty && !session.wantsJson
  let at = 0
  let drawn = false
  return {
    note({ blobs, bytes, moved, skipped }: CopyProgress): void {
      if (Date.now() - at < (live ? REDRAW_MS : TELL_MS)) return
      const first = at === 0
      at = Date.now()
      const text = `${moved.blobs + skipped.blobs} of ${blobs} blobs, ${formatBytes(moved.bytes + skipped.bytes)} of ${formatBytes(bytes)}`
      if (live) session.io.err(`\r\x1b[K${text}`)
      else if (!first) session.note(text)
      drawn = live
    },
    end(): void {
      if (drawn) session.io.err('\r\x1b[K')
    },
  }
}

function summary(name: string, { moved, skipped, manifests }: CopyResult): string {
  const blobs = (count: number) => `${count} ${count === 1 ? 'blob' : 'blobs'}`
  const nothing = moved.blobs === 0 && manifests === 0
  const what = nothing
    ? 'It was there already: nothing moved.'
    : `${blobs(moved.blobs)} (${formatBytes(moved.bytes)}) moved, ${blobs(skipped.blobs)} (${formatBytes(skipped.bytes)}) were there.`
  return `${plain(name)}\n${what}\n`
}

const list = (text: string) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean)
const collect = (text: string, before: string[]) => [...before, text]
