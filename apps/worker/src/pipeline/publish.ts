/**
 * Takes: a built image on the host.
 * Gives: the same image in the registry, by digest and tags; only the layers that were not there have moved.
 */
import { pushImage } from '@slipway/agent-client'
import { BUILD_CACHE_TAG } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import type { Deps } from '../deps'
import { refusalOf } from './refusal'
import { systemToken } from './registry-access'

export async function publish(
  deps: Deps,
  { organizationId, repository }: { organizationId: string; repository: string },
  tags: string[],
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Promise<{ digest: string; bytesSent: number | null }> {
  const path = repository.replace(/^[^/]+\//, '')
  const token = await systemToken(deps, [{ type: 'repository', name: path, actions: ['pull', 'push'] }])
  let digest: string | null = null
  let bytesSent: number | null = null
  const since = new Date()
  for (const [index, tag] of tags.entries()) {
    const pushed = await pushImage(deps.agent.docker, `${repository}:${tag}`, token, signal, (line) => {
      if (line.status && !line.progressDetail?.total) onProgress(line.id ? `${line.id}: ${line.status}` : line.status)
    }).catch(async (error: unknown) => {
      throw await refusalOf(deps.db, { organizationId, path, tag, taken: tags.slice(0, index), since }, error)
    })
    digest ??= pushed.digest
    if (pushed.bytesSent !== null) bytesSent = (bytesSent ?? 0) + pushed.bytesSent
  }
  if (!digest)
    throw new AppError({
      kind: 'internal',
      code: 'PUBLISH_INCOMPLETE',
      message: 'The registry took the image but did not say its digest. Build again.',
    })
  return { digest, bytesSent }
}

/** A tag that a branch name makes: what a tag cannot hold becomes a dash (`feature/x` → `feature-x`). */
export function branchTag(branch: string): string {
  const tag = branch
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 100)
  // That name is the build cache's.
  if (tag === BUILD_CACHE_TAG) return `${tag}-branch`
  return tag === '' ? 'latest' : tag
}
