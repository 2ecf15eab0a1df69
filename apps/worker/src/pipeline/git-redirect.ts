/**
 * Takes: a Git repository over HTTP whose server says that it is elsewhere. Gives: where that is.
 *
 * git itself follows no redirect: it would connect to whatever address the answer names, and nobody would have checked it.
 */
import { AppError, isAppError } from '@slipway/core'
import { type Lookup, Outbound, type Places } from '@slipway/outbound'

const REDIRECTS = 3
/** What git asks first; the server leads on from here. */
const FIRST = '/info/refs?service=git-upload-pack'

export async function movedTo(
  source: { url: string; token: string | null },
  inside: Places,
  signal: AbortSignal,
  lookup?: Lookup,
): Promise<string> {
  const outbound = new Outbound({ inside, ...(lookup && { lookup }) })
  const authorization = source.token && `Basic ${Buffer.from(`x-access-token:${source.token}`).toString('base64')}`
  const headers = { 'user-agent': 'git/2', ...(authorization && { authorization }) }
  try {
    const { url, body } = await outbound.request(source.url.replace(/\/+$/, '') + FIRST, { headers, redirects: REDIRECTS, signal })
    body.destroy()
    // Servers keep the end; one that does not means no repository, but a page.
    if (url.href.endsWith(FIRST)) return url.href.slice(0, -FIRST.length)
    throw elsewhere()
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (!isAppError(error)) throw error
    if (error.code === 'OUTBOUND_INSIDE') throw inwards(error)
    if (error.code === 'OUTBOUND_REDIRECT' || error.code === 'OUTBOUND_ADDRESS_INVALID') throw elsewhere(error)
    throw error
  } finally {
    outbound.close()
  }
}

const elsewhere = (cause?: unknown) =>
  new AppError({
    kind: 'bad-input',
    code: 'GIT_REDIRECTED',
    message: 'The Git server leads elsewhere, and no Git repository is there. Check the address; write the one that its page shows.',
    cause,
  })

const inwards = (cause: AppError) =>
  new AppError({
    kind: 'bad-input',
    code: 'GIT_INSIDE',
    message: `The Git server leads to an address that is no Git server’s. ${cause.message}`,
    cause,
  })
