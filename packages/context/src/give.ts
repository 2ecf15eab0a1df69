/** Takes: a context. Gives: it, kept by the agent of a build host, which is sent what it has not. */
import type { ContextMissing } from '@slipway/contracts'
import { isAppError } from '@slipway/core'
import type { Context } from './context'
import { Uploader } from './upload'

/** `AgentContexts` of the agent's client. */
export interface ContextHost {
  missing(scope: string, asked: Pick<ContextMissing, 'trees' | 'blobs'>): Promise<ContextMissing>
  send(scope: string, objects: Buffer, encoding: 'identity', signal: AbortSignal): Promise<unknown>
  commit(scope: string, tree: string): Promise<{ missing: ContextMissing } | { entries: number; bytes: number }>
}

/** What is there when it is asked for may be collected before it is kept. */
const COMMITS = 4

/** `scope`: an organization's id. Gives the digest for a build's request. */
export async function giveContext(host: ContextHost, scope: string, context: Context, signal: AbortSignal): Promise<string> {
  const tree = `sha256:${context.root}`
  const uploader = new Uploader(
    {
      missing: (asked) => host.missing(scope, asked),
      async send(objects) {
        try {
          await host.send(scope, objects, 'identity', signal)
          return { bytes: objects.length }
        } catch (error) {
          if (!isAppError(error) || error.code !== 'ENGINE_409') throw error
          return { bytes: objects.length, conflict: true }
        }
      },
    },
    signal,
  )
  for (let attempt = 1; ; attempt++) {
    const kept = await host.commit(scope, tree)
    if (!('missing' in kept)) return tree
    if (attempt > COMMITS) throw new Error('the build host loses the build context again and again')
    // The first answer knows of nothing beneath a root that is not there.
    await (attempt === 1 ? uploader.run(context) : uploader.send(context, kept.missing))
  }
}
