import { agentError, engineStatus, type ImageProgress, pullImage } from '@slipway/agent-client'
import { BASE_ORGANIZATION, OWN_REGISTRY_HOST, type RegistryAccess } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { movedRepository, organizationPullsThrough, repositoryVisibility } from '@slipway/db'
import { formatPlatform, type Platform, parsePlatform } from '@slipway/dockerfile'
import { cachedReference, formatReference, originalReference, parseReference, signRegistryToken } from '@slipway/oci'
import type { Deps } from '../deps'

/** Long enough for a large image over a slow line; the registry checks it once per request. */
const TOKEN_TTL_SECONDS = 30 * 60

export const systemToken = (deps: Deps, access: RegistryAccess[]) =>
  signRegistryToken({ sub: 'system:worker', access, ttlSeconds: TOKEN_TTL_SECONDS }, deps.env.registryKey)

export interface PullAccess {
  /** What the engine is asked for. */
  name: string
  /** Our registry has it, or keeps a copy of it. */
  own: boolean
  token: string | undefined
  /** Of a copy: the image's own name. */
  original?: string
  /** The registry that the engine asks itself, as no upstream of that name is set up for the organization. */
  direct?: string
}

/**
 * Whether `organization` may use the image, and with which token. The engine's own store is shared by all organizations
 * of a host, so this is asked before every look-up there, not only before a pull. Null: nobody in particular, for what a stranger
 * wrote; then only what anybody may pull, with nobody's credentials.
 */
export async function pullAccess(deps: Deps, organization: string | null, reference: string): Promise<PullAccess> {
  // The canonical form: an engine would otherwise take `FROM 9f0c6b1e` for an image id, of whichever organization.
  const parsed = originalReference(parseReference(reference), OWN_REGISTRY_HOST)
  const name = formatReference(parsed)
  if (parsed.registry !== OWN_REGISTRY_HOST) {
    const cached = cachedReference(parsed, OWN_REGISTRY_HOST)
    if (!cached || !(await organizationPullsThrough(deps.db, organization, parsed.registry)))
      return { name, own: false, token: undefined, direct: parsed.registry }
    // Of the whole copy: what an index names is fetched and known here only when somebody asks for it.
    const token = await systemToken(deps, [{ type: 'repository', name: cached.repository, actions: ['pull'] }])
    return { name: formatReference(cached), own: true, token, original: name }
  }
  const [owner = '', ...rest] = parsed.repository.split('/')
  const own = owner === organization || owner === BASE_ORGANIZATION
  const repository = await whereItIs(deps, organization, parsed.repository)
  // What every account may pull, an app of any organization may run.
  if (!own && repository === parsed.repository && !isOpen(await repositoryVisibility(deps.db, owner, rest.join('/')), organization))
    throw imageNotFound(reference)
  const access = [...new Set([parsed.repository, repository])].map((at) => pullOf(at, parsed.digest))
  return { name, own: true, token: await systemToken(deps, access) }
}

/** `internal` is for every account of the installation, which a stranger has not. */
const isOpen = (visibility: string | null, organization: string | null) =>
  visibility === 'public' || (visibility === 'internal' && organization !== null)

/** A digest names one image, and the token opens nothing else; only a tag has to be looked up in its repository. */
const pullOf = (name: string, digest: string | undefined): RegistryAccess =>
  digest === undefined ? { type: 'repository', name, actions: ['pull'] } : { type: 'image', name, digest, actions: ['pull'] }

/** The name that the repository has now, where the organization may pull it under that one, too. */
async function whereItIs(deps: Deps, organization: string | null, path: string): Promise<string> {
  const [owner = '', ...rest] = path.split('/')
  const moved = await movedRepository(deps.db, { organization: owner, name: rest.join('/') })
  if (!moved) return path
  const open = isOpen(await repositoryVisibility(deps.db, moved.organization, moved.name), organization)
  return moved.organization === organization || open ? `${moved.organization}/${moved.name}` : path
}

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
  const { name, own, token, original, direct } = await pullAccess(deps, organization, reference)
  const stranger = organization === null
  const unnamed = platform ?? (stranger && !own ? HOST_PLATFORM : null)
  if (unnamed) return pullForeign(deps, reference, { name, token, platform: unnamed, direct }, signal, onProgress)
  // Loaded or pulled by somebody on the host under its own name: that is the one that was meant.
  const loaded = original === undefined || stranger ? null : await inspectImage(deps, original)
  if (loaded) return loaded
  const local = await inspectImage(deps, name)
  if (local && (!own || name.includes('@'))) return local
  try {
    await pullImage(deps.agent.docker, name, token, signal, (line) => tellPull(line, onProgress))
  } catch (error) {
    if (local || signal.aborted) {
      if (signal.aborted) throw signal.reason
      return local as LocalImage
    }
    if (error instanceof AppError && ['AGENT_UNREACHABLE', 'DISK_FULL'].includes(error.code)) throw error
    throw imageNotFound(reference, error, direct)
  }
  const image = await inspectImage(deps, name)
  if (!image) throw imageNotFound(reference)
  return image
}

const tellPull = (line: ImageProgress, onProgress?: (line: string) => void) =>
  line.status && !line.progressDetail?.total && onProgress?.(`${line.id ? `${line.id}: ` : ''}${line.status}`)

async function pullForeign(
  deps: Deps,
  reference: string,
  { name, token, platform, direct }: Pick<PullAccess, 'name' | 'token' | 'direct'> & { platform: Platform },
  signal: AbortSignal,
  onProgress?: (line: string) => void,
): Promise<LocalImage> {
  let digest: string | undefined
  try {
    await pullImage(
      deps.agent.docker,
      name,
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

function imageNotFound(reference: string, cause?: unknown, direct?: string): AppError {
  const why = cause instanceof AppError ? ` (${cause.message.slice(0, 300)})` : ''
  // Said only when the registry says so: one that does not answer has it perhaps.
  const absent = !(cause instanceof AppError) || cause.kind === 'not-found' || cause.details.engineCode === 404
  const base = absent && reference.startsWith(`${OWN_REGISTRY_HOST}/${BASE_ORGANIZATION}/`)
  return new AppError({
    kind: 'bad-input',
    code: 'IMAGE_NOT_FOUND',
    message: base
      ? `The base image ${reference} is not made yet. Run npm run base-images on this machine, then build again.`
      : `The image ${reference} cannot be pulled${why}. Check its name, and that this installation may read it.${direct === undefined ? '' : ` No upstream ${direct} is set up for this organization, so the registry there was asked itself; with one under Settings → Upstreams, what was pulled once stays here.`}`,
    cause,
    details: { reference },
  })
}

/** A reference with its tag replaced by the digest, when there is one. */
export const pinned = (reference: string, digest: string | null) =>
  digest ? `${reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '')}@${digest}` : reference
