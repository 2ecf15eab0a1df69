/**
 * Names of images, as Docker reads them (distribution/reference grammar):
 *
 *   [registry[:port]/]path[/path…][:tag][@digest]
 *
 * No registry means Docker Hub; a single path component there is an official image (`library/`).
 */
import { AppError } from '@slipway/core'
import { parseDigest } from './digest'

export const DOCKER_HUB = 'docker.io'
export const DEFAULT_TAG = 'latest'

export interface Reference {
  /** `docker.io`, `slipway.local`, `localhost:5000` */
  registry: string
  /** `library/hello`, `acme/shop/api` */
  repository: string
  /** Absent only when there is a digest. */
  tag?: string
  digest?: string
}

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const HOST =
  /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*)(?::(\d{1,5}))?$/
/** distribution/reference: the whole name without tag and digest. */
const MAX_NAME = 255

const invalid = (message: string) => new AppError({ kind: 'bad-input', code: 'REFERENCE_INVALID', message })

/** Complete and canonical: `hello` → docker.io/library/hello:latest. Throws `REFERENCE_INVALID` that names the problem. */
export function parseReference(input: string): Reference {
  const text = input.trim()
  if (text === '') throw invalid('The image name is empty. Write one such as acme/api:1.0.')
  if (text.length > 1024) throw invalid('The image name is longer than 1,024 characters.')
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text
  if (/\s/.test(text)) throw invalid(`The image name “${shown}” contains a space.`)
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    throw invalid(`“${shown}” is a URL. Write the image name without ${text.slice(0, text.indexOf('/') + 2)}`)
  if (/^[0-9a-f]{64}$/.test(text)) throw invalid(`“${shown.slice(0, 12)}…” is an image id, not a name. Write name@sha256:… instead.`)

  const at = text.indexOf('@')
  const digest = at === -1 ? undefined : text.slice(at + 1)
  if (digest !== undefined) parseDigest(digest)
  const beforeDigest = at === -1 ? text : text.slice(0, at)

  // A colon before the last slash belongs to the registry's port.
  const colon = beforeDigest.indexOf(':', beforeDigest.lastIndexOf('/') + 1)
  const tag = colon === -1 ? undefined : beforeDigest.slice(colon + 1)
  if (tag !== undefined) assertTag(tag)
  const name = colon === -1 ? beforeDigest : beforeDigest.slice(0, colon)

  const { registry, path } = splitRegistry(name)
  const repository = registry === DOCKER_HUB && !path.includes('/') ? `library/${path}` : path
  assertRepositoryName(repository, path)
  if (registry.length + repository.length + 1 > MAX_NAME) throw invalid(`The image name is longer than ${MAX_NAME} characters.`)
  return {
    registry,
    repository,
    ...(tag !== undefined ? { tag } : digest === undefined ? { tag: DEFAULT_TAG } : {}),
    ...(digest !== undefined ? { digest } : {}),
  }
}

function splitRegistry(name: string): { registry: string; path: string } {
  const slash = name.indexOf('/')
  const first = slash === -1 ? '' : name.slice(0, slash)
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase()
  if (slash === -1 || !isHost) return { registry: DOCKER_HUB, path: name }
  const match = HOST.exec(first)
  if (!match) throw invalid(`“${first.slice(0, 100)}” is not a valid registry address in the image name.`)
  if (match[1] !== undefined && (Number(match[1]) < 1 || Number(match[1]) > 65_535))
    throw invalid(`Port ${match[1]} in the image name is not a port.`)
  const path = name.slice(slash + 1)
  if (path === '') throw invalid(`The image name “${name}” has a registry but no repository.`)
  return { registry: first === 'index.docker.io' ? DOCKER_HUB : first, path }
}

/** Throws `REFERENCE_INVALID`; `shown` is the name as the user wrote it. */
export function assertRepositoryName(repository: string, shown = repository): void {
  const quoted = `“${shown.slice(0, 100)}”`
  if (repository === '') throw invalid('The image name has no repository.')
  if (repository.length > MAX_NAME) throw invalid(`The image name is longer than ${MAX_NAME} characters.`)
  if (/[A-Z]/.test(repository)) throw invalid(`The image name ${quoted} has upper-case letters; repository names are lower-case.`)
  for (const component of repository.split('/')) {
    if (component === '') throw invalid(`The image name ${quoted} has an empty part between slashes.`)
    if (!COMPONENT.test(component)) {
      const bad = /[^a-z0-9._-]/.exec(component)?.[0]
      throw invalid(
        bad
          ? `The image name ${quoted} contains “${bad}”. Allowed are a-z, 0-9 and single . _ - between them.`
          : `The part “${component.slice(0, 60)}” of the image name ${quoted} must start and end with a letter or digit, with . _ or - only between.`,
      )
    }
  }
}

export const isRepositoryName = (name: string): boolean =>
  name.length <= MAX_NAME && name.split('/').every((component) => COMPONENT.test(component))

export const isTag = (tag: string): boolean => TAG.test(tag)

function assertTag(tag: string): void {
  if (tag === '') throw invalid('The image name ends with a colon but has no tag.')
  if (tag.length > 128) throw invalid('The tag is longer than 128 characters.')
  if (!isTag(tag)) throw invalid(`The tag “${tag}” is not valid: letters, digits, _ . - and no . or - at the start.`)
}

/** The complete name: docker.io/library/hello:latest, slipway.local/acme/api@sha256:… */
export function formatReference(reference: Reference): string {
  const { registry, repository, tag, digest } = reference
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

/** What `docker pull` prints: no docker.io/, no library/, no :latest unless a digest follows. */
export function familiarReference(reference: Reference): string {
  let repository = reference.repository
  let prefix = `${reference.registry}/`
  if (reference.registry === DOCKER_HUB) {
    prefix = ''
    repository = repository.replace(/^library\/(?=[^/]+$)/, '')
  }
  const tag = reference.tag === undefined || (reference.tag === DEFAULT_TAG && reference.digest === undefined) ? '' : `:${reference.tag}`
  return `${prefix}${repository}${tag}${reference.digest === undefined ? '' : `@${reference.digest}`}`
}

/** What goes behind /manifests/: the digest wins, as it is what was meant exactly. */
export const referenceTarget = (reference: Reference): string => reference.digest ?? reference.tag ?? DEFAULT_TAG
