/** Takes: the contexts of a build and what it is told. Gives: a build on the server, after sending what it does not have. */
import { type Context, StatCache, Uploader, walkContext } from '@slipway/context'
import { formatBytes } from '@slipway/core'
import { createIgnoreMatcher } from '@slipway/dockerfile'
import { TRPCClientError } from '@trpc/client'
import { CliError, EXIT } from './errors'
import type { Session } from './session'
import { contextTarget } from './upload'
import type { Deadline } from './watch'

export interface Sent {
  number: number
  /** Bytes of requests. */
  bytes: number
}

export async function contextOf(
  session: Session,
  folder: string,
  ignore: string,
  budget: { entries: number; bytes: number },
): Promise<Context> {
  const cache = await StatCache.open(session.env.cacheDir, folder)
  const context = await walkContext(folder, createIgnoreMatcher(ignore), session.signal, { cache, budget })
  await cache.save(folder)
  return context
}

type UploadInput = Parameters<Awaited<ReturnType<Session['client']>>['builds']['upload']['mutate']>[0]
/** What was there when it was asked for may be collected before the build begins. */
const COMMITS = 4

/** Sends what is missing and begins the build. */
export async function upload(
  session: Session,
  org: string,
  contexts: readonly Context[],
  deadline: Deadline,
  input: UploadInput,
): Promise<Sent> {
  const client = await session.client()
  const live = session.io.isTty && !session.wantsJson
  const uploader = new Uploader(contextTarget(session, org, deadline.signal), deadline.signal, ({ done, total }) => {
    if (live && total > 0) session.io.err(`\r\x1b[K[+] Sending ${formatBytes(done)} of ${formatBytes(total)}`)
  })
  try {
    for (const context of contexts) await uploader.run(context)
    for (let attempt = 1; ; attempt++) {
      try {
        const { number } = await client.builds.upload.mutate(input, { signal: deadline.signal })
        if (live) session.io.err('\r\x1b[K')
        const all = `${sum(contexts, 'entries').toLocaleString('en')} files, ${formatBytes(sum(contexts, 'bytes'))}`
        session.note(`Sent ${formatBytes(uploader.sent)} of ${all} (${uploader.sent} bytes); build #${number} of ${input.app}.`)
        return { number, bytes: uploader.sent }
      } catch (error) {
        const missing = attempt < COMMITS ? missingOf(error) : null
        if (!missing) throw error
        for (const context of contexts)
          await uploader.send(context, {
            trees: missing.trees.filter((digest) => context.trees.has(digest)),
            blobs: missing.blobs.filter((digest) => context.blobs.has(digest)),
          })
      }
    }
  } catch (error) {
    if (session.signal.aborted)
      throw new CliError(EXIT.interrupted, 'INTERRUPTED', 'Interrupted before the build began; what was sent is there the next time.')
    deadline.check('The upload')
    throw error
  }
}

export const sum = (contexts: readonly Context[], what: 'entries' | 'bytes') => contexts.reduce((all, context) => all + context[what], 0)

function missingOf(error: unknown): { trees: string[]; blobs: string[] } | null {
  if (!(error instanceof TRPCClientError)) return null
  const app = (error.data as { app?: { code?: string; details?: { missing?: unknown } } } | null)?.app
  if (app?.code !== 'CONTEXT_INCOMPLETE') return null
  const missing = app.details?.missing as { trees?: unknown; blobs?: unknown } | undefined
  const texts = (list: unknown) => (Array.isArray(list) ? list.filter((one): one is string => typeof one === 'string') : [])
  return { trees: texts(missing?.trees), blobs: texts(missing?.blobs) }
}
