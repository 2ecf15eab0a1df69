import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { agentError, engineStatus, pullImage } from '@slipway/agent-client'
import { OWN_REGISTRY_HOST } from '@slipway/contracts'
import { signRegistryToken } from '@slipway/oci'
import { type Deps, registryHost } from '../deps'
import type { ImagesService } from '../services'
import { loadManifest, loadRepository } from './load'

/** Until the host has the image; a pull is as long as the image is large. */
const PULL_DEADLINE_MS = 20 * 60_000
const TOKEN_TTL_SECONDS = 30 * 60

/** The host writes the archive while it is sent; an image that is only in the registry is pulled there first. */
export const archiveMethod =
  (deps: Deps): ImagesService['archive'] =>
  async (scope, { repository: name, reference, format }, signal) => {
    const repository = await loadRepository(deps.db, scope, name)
    const { digest } = await loadManifest(deps.db, scope, repository, reference)
    const path = `${scope.organization}/${repository.name}`
    const pinned = `${OWN_REGISTRY_HOST}/${path}@${digest}`
    if (!(await isThere(deps, pinned))) {
      const pem = await readFile(join(deps.config.secretsDir, 'registry-token.pem'), 'utf8')
      const access = [{ type: 'image' as const, name: path, digest, actions: ['pull' as const] }]
      const token = await signRegistryToken({ sub: 'system:web', access, ttlSeconds: TOKEN_TTL_SECONDS }, pem)
      await pullImage(deps.agent.docker, pinned, token, AbortSignal.any([signal, AbortSignal.timeout(PULL_DEADLINE_MS)]))
    }
    const tag = reference === digest ? undefined : reference
    // As docker pull would call it.
    const named = tag && { name: `${registryHost(deps.config)}/${path}:${tag}` }
    return {
      stream: await deps.agent.imageOutput(pinned, { kind: 'archive', format, ...named }, signal),
      filename: `${repository.name}-${tag ?? digest.slice(7, 19)}.${format}.tar`.replace(/[^\w.-]+/g, '-'),
    }
  }

async function isThere(deps: Deps, name: string): Promise<boolean> {
  try {
    await deps.agent.docker.getImage(name).inspect()
    return true
  } catch (error) {
    if (engineStatus(error) === 404) return false
    throw agentError(error, `look at the image ${name}`)
  }
}
