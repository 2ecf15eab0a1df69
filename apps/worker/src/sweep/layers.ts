import { tellScans, unreadLayers } from '@slipway/db'
import { enqueue } from '@slipway/jobs'
import type { Deps } from '../deps'

/** As many as are read until the next sweep, and some more. */
const AT_ONCE = 20

/** Asks for the layers that nobody has read: of pushes, and of what failed before. Tells of the images that were read whole. */
export async function sweepLayers(deps: Deps): Promise<void> {
  const warn = (error: unknown) => deps.log.warn({ err: error }, 'could not enqueue; the next sweep tries again')
  for (const digest of await unreadLayers(deps.db, AT_ONCE)) await enqueue(deps.queues, 'layer', { layer: digest.replace(':', '-') }, warn)
  await tellScans(deps.db, AT_ONCE)
}
