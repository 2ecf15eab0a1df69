import { imageArchive } from '@slipway/api'
import { OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { PANEL, type PanelVerb } from '../table'
import { type Hand, nameOf, REPOSITORIES, type World } from '../world'
import { attempt } from './refusal'

type Api = Awaited<ReturnType<World['caller']>>
interface Place {
  org: 'acme'
  repository: string
}

const hand =
  (call: (api: Api, place: Place, letter: string) => Promise<unknown>, done: string[] = []): Hand =>
  async (world, person, letter) => {
    const place = { org: 'acme' as const, repository: nameOf(letter) }
    return attempt(world, person, PANEL.repository[person].includes(letter), (api) => call(api, place, letter), done)
  }

/** One more image of the repository, for one that goes. */
async function pushed(world: World, letter: string, note: string): Promise<string> {
  const body = JSON.stringify({ ...JSON.parse(world.images[letter]?.manifest ?? '{}'), annotations: { note } })
  const url = `/v2/${REPOSITORIES[letter]}/manifests/${note}`
  const response = await world.registry.call('PUT', url, { body, headers: { 'content-type': OCI_MANIFEST } })
  if (response.status !== 201) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return digestBytes(body)
}
const extra = { kind: 'user' as const, email: 'extra@example.com' }

/** Nobody has read the layers here: who may look into them is told that. */
const NOT_READ = ['SERVICE_UNAVAILABLE']
const V1 = { reference: 'v1' }
let rules = 0

export const hands: Record<PanelVerb, Hand> = {
  files: hand((api, place) => api.files.list({ ...place, ...V1 }), NOT_READ),
  'search files': hand((api, place) => api.files.search({ ...place, ...V1, query: 'passwd' }), NOT_READ),
  'packages in files': hand((api, place) => api.files.packages({ ...place, ...V1 }), NOT_READ),
  compare: hand((api, place) => api.files.compare({ ...place, ...V1, other: { repository: place.repository, ...V1 } }), NOT_READ),
  // Who may read both may compare them.
  'compare with elsewhere': (world, person, letter) => {
    const place = { org: 'acme' as const, repository: nameOf(letter), ...V1 }
    return attempt(world, person, false, (api) => api.files.compare({ ...place, other: { repository: nameOf('e'), ...V1 } }), NOT_READ)
  },
  about: hand((api, place) => api.repositories.about(place)),
  rules: hand((api, place) => api.repositories.policies(place)),
  describe: hand((api, place) => api.repositories.setAbout({ ...place, description: 'Ours' })),
  // Who may is told that this is its name.
  rename: hand((api, place) => api.repositories.rename({ ...place, name: place.repository }), ['BAD_REQUEST']),
  'add a rule': hand((api, place) => api.repositories.addRule({ ...place, kind: 'protected', tags: `never-${rules++}` })),
  repository: hand((api, place) => api.images.repository(place)),
  tags: hand((api, place) => api.images.tags({ ...place, limit: 5 })),
  'history of a tag': hand((api, place) => api.images.history({ ...place, tag: 'v1' })),
  untagged: hand((api, place) => api.images.untagged(place)),
  'point tag': async (world, person, letter) => {
    const digest = await pushed(world, letter, `point-${person}`)
    return hand((api, place) => api.images.pointTag({ ...place, tag: 'pointed', digest }))(world, person, letter)
  },
  image: hand((api, place) => api.images.get({ ...place, reference: 'v1' })),
  packages: hand((api, place) => api.images.sbom({ ...place, reference: 'v1' })),
  provenance: hand((api, place) => api.images.provenance({ ...place, reference: 'v1' })),
  async archive(world, person, letter) {
    const query = new URLSearchParams({ org: 'acme', repository: nameOf(letter), reference: 'v1', format: 'oci' })
    const response = await imageArchive(new Request(`http://localhost:3000/api/images/archive?${query}`), await world.context(person))
    // Who may is told that this installation has no engine.
    if (response.status === 503) return true
    return response.status === (world.identities[person] ? 404 : 401) ? false : String(response.status)
  },
  'who may': hand((api, place) => api.access.repository(place)),
  'delete tag': async (world, person, letter) => {
    await pushed(world, letter, `tag-${person}`)
    return hand((api, place) => api.images.delete({ ...place, reference: `tag-${person}` }))(world, person, letter)
  },
  'delete image': async (world, person, letter) => {
    const reference = await pushed(world, letter, `image-${person}`)
    return hand((api, place) => api.images.delete({ ...place, reference }))(world, person, letter)
  },
  // Who may is asked to type the name: it is needed for the other rows.
  'delete repository': (world, person, letter) => {
    const place = { org: 'acme' as const, repository: nameOf(letter), confirm: 'another name' }
    const sees = PANEL.repository[person].includes(letter)
    return attempt(world, person, sees, (api) => api.repositories.delete(place), ['BAD_REQUEST'])
  },
  visibility: hand((api, place, letter) => {
    const visibility = letter === 'i' ? 'internal' : letter === 'u' ? 'public' : 'private'
    return api.access.setVisibility({ ...place, visibility, confirm: place.repository })
  }),
  'give a role': hand((api, place) => api.access.grantOnRepository({ ...place, role: 'guest', to: extra })),
  'take a role': async (world, person, letter) => {
    const repository = nameOf(letter)
    const { grants } = await world.h.services.access.grantOnRepository(world.scope, { repository, role: 'guest', to: extra })
    const id = grants.find((grant) => grant.to.kind === 'user' && grant.to.email === extra.email)?.id ?? 'grt_taken_by_another'
    return hand((api, place) => api.access.revokeOnRepository({ ...place, id }).catch(gone))(world, person, letter)
  },
}

/** Several walk at once, and one of them was faster: that is told only to who may. */
function gone(error: unknown) {
  if ((error as { cause?: { code?: string } }).cause?.code !== 'GRANT_NOT_FOUND') throw error
}
