import type { Upstreams } from '../upstream/upstreams'
import type { Integrity } from './integrity'
import { fetchFromReplica, type ReplicasOptions } from './replica'

/** Who is asked for the bytes of a blob that is damaged or lost: upstreams, then replicas. */
export function addRepairers(integrity: Integrity, upstreams: Upstreams, options: ReplicasOptions): void {
  integrity.repairers.push((digest) => upstreams.refetch(digest))
  integrity.repairers.push((digest) => fetchFromReplica(options, digest))
}
