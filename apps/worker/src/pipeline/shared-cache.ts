/**
 * Takes: an app and its repository. Gives: where its builds look for a cache in the registry, and what they leave there.
 * Always the app's own repository: what another organization, or another app, left is never looked at.
 */
import { BUILD_CACHE_TAG, type BuildEvent, type BuildRequest } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import type { App } from '@slipway/db'

type Shared = NonNullable<Extract<BuildEvent, { type: 'result' }>['sharedCache']>

export function sharedCache({ buildCacheShare }: Pick<App, 'buildCacheShare'>, repository: string): BuildRequest['cache'] {
  if (buildCacheShare === 'off') return undefined
  const reference = `${repository}:${BUILD_CACHE_TAG}`
  return { from: [reference], to: { reference, mode: buildCacheShare === 'all' ? 'max' : 'min' } }
}

/**
 * Of a pull request. It leaves nothing in the registry: the layers of its image do not go there, and what lies there is for the next
 * build of the branch. A fork's reads what the host has, and writes nothing at all.
 */
export const pullRequestCache = (usual: BuildRequest['cache'], fromFork: boolean): BuildRequest['cache'] =>
  fromFork ? { write: false } : usual && { from: usual.from }

/** The same build without what was found unusable; it is left anew when the build has succeeded. */
export const withoutImport = ({ cache: { from: _, ...cache } = {}, ...request }: BuildRequest): BuildRequest => ({
  ...request,
  ...(Object.keys(cache).length > 0 && { cache }),
})

/** For the build's log; nothing when there is nothing to say. */
export function sharedCacheLines({ hits, movedBytes, problem }: Shared): string[] {
  return [
    ...(hits > 0 ? [`${hits} ${hits === 1 ? 'step was' : 'steps were'} taken from the build cache in the registry`] : []),
    ...(movedBytes ? [`Left the build's steps in the registry: ${formatBytes(movedBytes)}`] : []),
    ...(problem ? [`warning: ${problem}`] : []),
  ]
}
