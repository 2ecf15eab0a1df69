import { agentError, engineStatus, type ImageProgress, pullImage } from '@slipway/agent-client'
import { AppError } from '@slipway/core'
import { formatPlatform, type Platform, parsePlatform } from '@slipway/dockerfile'
import type { Deps } from '../deps'
import { exactImage, imageNotFound, type PullAccess, pinned, pullAccess } from './registry-access'

const HOST_PLATFORM: Platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' }

export interface LocalImage {
  /** Canonical reference that it was looked up by. */
  name: string
  id: string
  /** Manifest digest in the repository it was pulled from or pushed to; null for one that was only built here. */
  digest: string | null
  size: number
  /** null: it does not say one. */
  platform: Platform | null
  config: Record<string, unknown>
}

/**
 * Makes sure that the image is on the host. A tag of our own registry is always asked anew: it may have moved. One for another
 * `platform` than the host's is found by its digest: the name goes on to stand for the host's own. For a stranger (`organization` is
 * null) an image of another registry is asked for there, as what lies here was perhaps pulled with somebody's credentials, and gets no
 * name here either: others would take it for the one that they meant.
 */
export async function ensureImage(
  deps: Deps,
  organization: string | null,
  reference: string,
  signal: AbortSignal,
  onProgress?: (line: string) => void,
  platform: Platform | null = null,
): Promise<LocalImage> {
  const access = await pullAccess(deps, organization, reference)
  const { name, own, original, direct } = access
  const stranger = organization === null
  const unnamed = platform ?? (stranger && !own ? HOST_PLATFORM : null)
  if (unnamed) return pullForeign(deps, reference, { ...access, platform: unnamed }, signal, onProgress)
  // Loaded or pulled by somebody on the host under its own name: that is the one that was meant.
  const loaded = original === undefined || stranger ? null : await inspectImage(deps, original)
  if (loaded) return loaded
  const local = await inspectImage(deps, name)
  if (local && (!own || name.includes('@'))) return local
  let exact = name
  try {
    const { reference: wanted, token } = await exactImage(deps, access, signal)
    exact = wanted
    await pullImage(deps.agent.docker, exact, token, signal, (line) => tellPull(line, onProgress))
  } catch (error) {
    if (local || signal.aborted) {
      if (signal.aborted) throw signal.reason
      return local as LocalImage
    }
    if (error instanceof AppError && ['AGENT_UNREACHABLE', 'DISK_FULL'].includes(error.code)) throw error
    throw imageNotFound(reference, error, direct)
  }
  const image = await inspectImage(deps, exact)
  if (!image) throw imageNotFound(reference)
  // The tag, for when the registry cannot be asked.
  if (!name.includes('@') && exact !== name && image.id !== local?.id) await nameImage(deps, exact, name)
  return { ...image, name, digest: exact.split('@')[1] ?? image.digest }
}

async function nameImage({ agent }: Deps, exact: string, name: string): Promise<void> {
  const colon = name.lastIndexOf(':')
  try {
    await agent.docker.getImage(exact).tag({ repo: name.slice(0, colon), tag: name.slice(colon + 1) })
  } catch (error) {
    throw agentError(error, `name the image ${name}`)
  }
}

const tellPull = (line: ImageProgress, onProgress?: (line: string) => void) =>
  line.status && !line.progressDetail?.total && onProgress?.(`${line.id ? `${line.id}: ` : ''}${line.status}`)

async function pullForeign(
  deps: Deps,
  reference: string,
  { platform, ...access }: PullAccess & { platform: Platform },
  signal: AbortSignal,
  onProgress?: (line: string) => void,
): Promise<LocalImage> {
  const { name, direct } = access
  let digest: string | undefined
  try {
    const { reference: exact, token } = await exactImage(deps, access, signal)
    await pullImage(
      deps.agent.docker,
      exact,
      token,
      signal,
      (line) => {
        digest = /^Digest: (sha256:[0-9a-f]{64})$/.exec(line.status ?? '')?.[1] ?? digest
        tellPull(line, onProgress)
      },
      { platform: formatPlatform(platform), unnamed: true },
    )
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof AppError && ['AGENT_UNREACHABLE', 'DISK_FULL'].includes(error.code)) throw error
    throw imageNotFound(reference, error, direct)
  }
  const image = digest === undefined ? null : await inspectImage(deps, pinned(name, digest))
  if (!image) throw imageNotFound(reference)
  return { ...image, name }
}

export async function inspectImage(deps: Deps, name: string): Promise<LocalImage | null> {
  try {
    const info = await deps.agent.docker.getImage(name).inspect()
    const repository = name.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
    const digest = info.RepoDigests?.find((d) => d.startsWith(`${repository}@`)) ?? info.RepoDigests?.[0]
    return {
      name,
      id: info.Id,
      digest: digest?.split('@')[1] ?? null,
      size: info.Size,
      platform: parsePlatform([info.Os, info.Architecture, info.Variant].filter(Boolean).join('/')),
      config: (info.Config ?? {}) as unknown as Record<string, unknown>,
    }
  } catch (error) {
    if (engineStatus(error) === 404) return null
    throw agentError(error, `look at the image ${name}`)
  }
}
