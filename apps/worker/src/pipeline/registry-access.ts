/**
 * What the worker and its host may do in our own registry.
 * Takes: an organization and the name of an image. Gives: whether it may be used, and a token that opens just that image.
 */
import { BASE_ORGANIZATION, OWN_REGISTRY_HOST, type RegistryAccess } from '@slipway/contracts'
import { AppError, isAppError } from '@slipway/core'
import { movedRepository, organizationPullsThrough, repositoryVisibility } from '@slipway/db'
import { cachedReference, formatReference, originalReference, parseReference, RegistryClient, signRegistryToken } from '@slipway/oci'
import type { Deps } from '../deps'

/** Long enough for a large image over a slow line; the registry checks it once per request. */
const TOKEN_TTL_SECONDS = 30 * 60
/** Of a tag: what an upstream that is asked for it may take, and its manifest. */
const LOOKUP_MS = 60_000

export const systemToken = (deps: Deps, access: RegistryAccess[], ttlSeconds = TOKEN_TTL_SECONDS) =>
  signRegistryToken({ sub: 'system:worker', access, ttlSeconds }, deps.env.registryKey)

export interface PullAccess {
  /** What the image is called on the host. */
  name: string
  /** Our registry has it, or keeps a copy of it. */
  own: boolean
  /** There: the repository, and when that has another name now, the one of that name. */
  repositories: string[]
  /** Of a copy: the image's own name. */
  original?: string
  /** The registry that the engine asks itself, as no upstream of that name is set up for the organization. */
  direct?: string
}

/**
 * Whether `organization` may use the image, and where it is. The engine's own store is shared by all organizations
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
      return { name, own: false, repositories: [], direct: parsed.registry }
    return { name: formatReference(cached), own: true, repositories: [cached.repository], original: name }
  }
  const [owner = '', ...rest] = parsed.repository.split('/')
  const own = owner === organization || owner === BASE_ORGANIZATION
  const repository = await whereItIs(deps, organization, parsed.repository)
  // What every account may pull, an app of any organization may run.
  if (!own && repository === parsed.repository && !isOpen(await repositoryVisibility(deps.db, owner, rest.join('/')), organization))
    throw imageNotFound(reference)
  return { name, own: true, repositories: [...new Set([parsed.repository, repository])] }
}

/** `internal` is for every account of the installation, which a stranger has not. */
const isOpen = (visibility: string | null, organization: string | null) =>
  visibility === 'public' || (visibility === 'internal' && organization !== null)

/** The name that the repository has now, where the organization may pull it under that one, too. */
async function whereItIs(deps: Deps, organization: string | null, path: string): Promise<string> {
  const [owner = '', ...rest] = path.split('/')
  const moved = await movedRepository(deps.db, { organization: owner, name: rest.join('/') })
  if (!moved) return path
  const open = isOpen(await repositoryVisibility(deps.db, moved.organization, moved.name), organization)
  return moved.organization === organization || open ? `${moved.organization}/${moved.name}` : path
}

export interface ExactImage {
  /** `name@digest` when our registry has it. */
  reference: string
  token: string | undefined
}

/**
 * The one image that is pulled, and a token for it: the host gets none that opens another. A tag is looked up here, where the token
 * that opens its repository stays; what an upstream has is known to our registry from then on.
 */
export async function exactImage(
  deps: Deps,
  { name, own, repositories }: Pick<PullAccess, 'name' | 'own' | 'repositories'>,
  signal: AbortSignal,
): Promise<ExactImage> {
  if (!own) return { reference: name, token: undefined }
  const parsed = parseReference(name)
  const digest = parsed.digest ?? (await digestOfTag(deps, repositories, parsed.tag ?? '', signal))
  if (digest === undefined) throw new AppError({ kind: 'not-found', code: 'MANIFEST_UNKNOWN', message: `there is no ${name}` })
  const access = repositories.map((at): RegistryAccess => ({ type: 'image', name: at, digest, actions: ['pull'] }))
  return { reference: pinned(name, digest), token: await systemToken(deps, access) }
}

async function digestOfTag(deps: Deps, repositories: string[], tag: string, signal: AbortSignal): Promise<string | undefined> {
  const { SLIPWAY_REGISTRY_URL: baseUrl } = deps.env
  const access = repositories.map((name): RegistryAccess => ({ type: 'repository', name, actions: ['pull'] }))
  const bearer = await systemToken(deps, access, LOOKUP_MS / 1000)
  const client = new RegistryClient({ baseUrl, credentials: { bearer }, timeoutMs: LOOKUP_MS, signal })
  const [repository = ''] = repositories
  try {
    return await client.resolve(repository, tag).catch((error: unknown) => {
      if (!isAppError(error) || error.code !== 'REGISTRY_FAILED') throw error
      // HEAD has no words: why an upstream cannot be asked is in the answer to GET.
      return client.getManifest(repository, tag).then(({ digest }) => digest)
    })
  } catch (cause) {
    if (!isAppError(cause)) throw cause
    const { kind, code, message } = cause
    throw new AppError({ kind, code, message: message.replaceAll(baseUrl, OWN_REGISTRY_HOST), cause })
  }
}

export function imageNotFound(reference: string, cause?: unknown, direct?: string): AppError {
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
