import { OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import type { Person, RegistryVerb } from '../table'
import { type Hand, REPOSITORIES, type World } from '../world'

const tokens = new Map<Person, Promise<string>>()
/** One for everything, as far as the person gets it; the one for the catalog names no repository. */
function tokenOf(world: World, person: Person): Promise<string> {
  const scopes = Object.values(REPOSITORIES).map((name) => `repository:${name}:pull,push,delete`)
  const token = tokens.get(person) ?? world.token(person, 'registry:catalog:*', ...scopes)
  tokens.set(person, token)
  return token
}

const pathOf = (letter: string) => `/v2/${REPOSITORIES[letter]}`
const verdict = ({ status }: Response, ...done: number[]): boolean | string =>
  done.includes(status) ? true : status === 401 ? false : String(status)

/** A request with the person's token. */
const ask = async (
  world: World,
  person: Person,
  method: string,
  url: string,
  init: { body?: string; headers?: Record<string, string> } = {},
) => world.registry.call(method, url, { ...init, token: await tokenOf(world, person) })

const manifest = { 'content-type': OCI_MANIFEST }
/** Of the repository's image, made another one by a note. */
const variantOf = (world: World, letter: string, note: string) =>
  JSON.stringify({ ...JSON.parse(world.images[letter]?.manifest ?? '{}'), annotations: { note } })

const read =
  (url: (world: World, letter: string) => string): Hand =>
  async (world, person, letter) =>
    // What is not there yet is no refusal.
    verdict(await ask(world, person, 'GET', `${pathOf(letter)}${url(world, letter)}`), 200, ...(letter === 'n' ? [404] : []))

/** On an upload that the system has begun. */
const onUpload =
  (method: string, done: number): Hand =>
  async (world, person, letter) => {
    const begun = await world.registry.call('POST', `${pathOf(letter)}/blobs/uploads/`)
    const { pathname, search } = new URL(begun.headers.get('location') ?? '', world.registry.base)
    const body = method === 'PATCH' ? { body: 'bytes', headers: { 'content-type': 'application/octet-stream' } } : {}
    return verdict(await ask(world, person, method, pathname + search, body), done)
  }

/** Everybody may mount into the first of these that they may push to, and that is not the source. */
const TARGETS: Partial<Record<Person, string>> = { rival: 'o', foreign: 'o' }
const NEXT: Record<string, string> = { p: 'i', i: 'u', u: 'p' }

export const hands: Record<RegistryVerb, Hand> = {
  'pull tag': read(() => '/manifests/v1'),
  'pull digest': read((world, letter) => `/manifests/${world.images[letter]?.digest}`),
  blob: read((world, letter) => `/blobs/${world.images[letter]?.layers[0]}`),
  'list tags': read(() => '/tags/list'),
  referrers: read((world, letter) => `/referrers/${world.images[letter]?.digest}`),

  async 'in catalog'(world, person, letter) {
    const response = await ask(world, person, 'GET', '/v2/_catalog')
    if (response.status !== 200) return verdict(response)
    const { repositories } = (await response.json()) as { repositories: string[] }
    return repositories.includes(REPOSITORIES[letter] ?? '')
  },

  async 'mount from'(world, person, letter) {
    const target = pathOf(TARGETS[person] ?? NEXT[letter] ?? '')
    const query = `mount=${world.images[letter]?.layers[0]}&from=${REPOSITORIES[letter]}`
    const response = await ask(world, person, 'POST', `${target}/blobs/uploads/?${query}`)
    // 202: upload it then.
    return response.status === 202 ? false : verdict(response, 201)
  },

  async 'start upload'(world, person, letter) {
    return verdict(await ask(world, person, 'POST', `${pathOf(letter)}/blobs/uploads/`), 202)
  },
  'send bytes': onUpload('PATCH', 202),
  'look at upload': onUpload('GET', 204),
  'end upload': onUpload('DELETE', 204),
  async 'finish upload'(world, person, letter) {
    const begun = await world.registry.call('POST', `${pathOf(letter)}/blobs/uploads/`)
    const url = new URL(begun.headers.get('location') ?? '', world.registry.base)
    const body = `finished by ${person}`
    url.searchParams.set('digest', digestBytes(body))
    return verdict(await ask(world, person, 'PUT', url.pathname + url.search, { body }), 201)
  },

  async 'push manifest'(world, person, letter) {
    const body = variantOf(world, letter, `pushed by ${person}`)
    return verdict(await ask(world, person, 'PUT', `${pathOf(letter)}/manifests/by-${person}`, { body, headers: manifest }), 201)
  },
  async 'delete tag'(world, person, letter) {
    const url = `${pathOf(letter)}/manifests/goes-${person}`
    const image = world.images[letter]
    if (image) await world.registry.call('PUT', url, { body: image.manifest, headers: manifest })
    return verdict(await ask(world, person, 'DELETE', url), 202, ...(image ? [] : [404]))
  },
  async 'delete manifest'(world, person, letter) {
    const body = variantOf(world, letter, `goes with ${person}`)
    const url = `${pathOf(letter)}/manifests/${digestBytes(body)}`
    await world.registry.call('PUT', url, { body, headers: manifest })
    return verdict(await ask(world, person, 'DELETE', url), 202)
  },
  async 'delete blob'(world, person, letter) {
    const body = `goes with ${person}`
    const digest = digestBytes(body)
    await world.registry.call('POST', `${pathOf(letter)}/blobs/uploads/?digest=${digest}`, { body })
    return verdict(await ask(world, person, 'DELETE', `${pathOf(letter)}/blobs/${digest}`), 202)
  },
}
