/** Takes: the contexts of a build and what it is told. Gives: a build on the server, after sending what it does not have. */
import { type Context, StatCache, Uploader, walkContext } from '@slipway/context'
import { formatBytes } from '@slipway/core'
import { createIgnoreMatcher } from '@slipway/dockerfile'
import { CliError, EXIT, isCallError } from './errors'
import { grouped } from './output'
import { SentTrees } from './sent-trees'
import type { Session } from './session'
import { contextTarget } from './upload'
import type { Deadline } from './watch'

export interface Sent {
  /** As the server calls it. */
  app: string
  number: number
  /** Bytes of requests. */
  bytes: number
}

/** `remember`: keeps what the files held for the next time; when there is nothing better to do. */
export type Walked = Context & { remember(): Promise<void> }

export async function contextOf(
  session: Session,
  folder: string,
  ignore: string,
  budget: { entries: number; bytes: number },
): Promise<Walked> {
  const cache = await StatCache.open(session.env.cacheDir, folder)
  const context = await walkContext(folder, createIgnoreMatcher(ignore), session.signal, { cache, budget })
  return { ...context, remember: () => cache.save(folder) }
}

type UploadInput = Parameters<Awaited<ReturnType<Session['client']>>['builds']['upload']['mutate']>[0]
/** What was there when it was asked for may be collected before the build begins. */
const COMMITS = 4

/**
 * Sends what is missing and begins the build. Nobody asks beforehand whether the app and what was sent before are there: the server says
 * so when they are not. `make`: makes an app of this name, and gives what it is called.
 */
export async function upload(
  session: Session,
  contexts: readonly Walked[],
  deadline: Deadline,
  make: (name: string) => Promise<string>,
  input: UploadInput,
): Promise<Sent> {
  const { client, url } = await session.connect()
  const { org } = input
  const live = session.io.isTty && !session.wantsJson
  const uploader = new Uploader(contextTarget(session, org, deadline.signal), deadline.signal, ({ done, total }) => {
    if (live && total > 0) session.io.err(`\r\x1b[K[+] Sending ${formatBytes(done)} of ${formatBytes(total)}`)
  })
  let { app } = input
  const known = await SentTrees.open(session.env.cacheDir, { url, org })
  try {
    for (const context of contexts) await uploader.run(context, known)
    for (let attempt = 1; ; attempt++) {
      try {
        const begun = await client.builds.upload.mutate({ ...input, app }, { signal: deadline.signal })
        // The server builds by now.
        await known.save(contexts.flatMap((context) => [...context.trees.keys()]))
        if (live) session.io.err('\r\x1b[K')
        const all = `${grouped(sum(contexts, 'entries'))} files, ${formatBytes(sum(contexts, 'bytes'))}`
        session.note(`Sent ${formatBytes(uploader.sent)} of ${all} (${uploader.sent} bytes); build #${begun.number} of ${begun.app}.`)
        return { ...begun, bytes: uploader.sent }
      } catch (error) {
        if (refusalOf(error)?.code === 'APP_NOT_FOUND' && app === input.app) {
          app = await make(app)
          continue
        }
        const missing = attempt < COMMITS ? missingOf(error) : null
        if (!missing) throw error
        // What is known to have been there is there no more; what lies beneath a missing directory is asked for.
        if (known.size > 0) {
          known.forget()
          for (const context of contexts) await uploader.run(context)
        } else
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
  } finally {
    for (const context of contexts) await context.remember()
  }
}

export const sum = (contexts: readonly Context[], what: 'entries' | 'bytes') => contexts.reduce((all, context) => all + context[what], 0)

interface Refusal {
  code?: string
  details?: { missing?: unknown }
}
const refusalOf = (error: unknown): Refusal | undefined => (isCallError(error) ? (error.data as { app?: Refusal } | null)?.app : undefined)

function missingOf(error: unknown): { trees: string[]; blobs: string[] } | null {
  const refusal = refusalOf(error)
  if (refusal?.code !== 'CONTEXT_INCOMPLETE') return null
  const missing = refusal.details?.missing as { trees?: unknown; blobs?: unknown } | undefined
  const texts = (list: unknown) => (Array.isArray(list) ? list.filter((one): one is string => typeof one === 'string') : [])
  return { trees: texts(missing?.trees), blobs: texts(missing?.blobs) }
}
