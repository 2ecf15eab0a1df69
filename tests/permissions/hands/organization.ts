import { newId } from '@slipway/core'
import { ORGANIZATION, type OrganizationVerb, type Person } from '../table'
import type { Hand, World } from '../world'
import { attempt, firstOf } from './refusal'

type Api = Awaited<ReturnType<World['caller']>>
const org = 'acme'

const hand =
  (call: (api: Api, world: World) => Promise<unknown>, done: string[] = []): Hand =>
  (world, person) =>
    attempt(world, person, ORGANIZATION.read[person] === 'x', (api) => call(api, world), done)

let made = 0
const REPLICATION = {
  ...{ org, direction: 'push' as const, remote: 'https://registry.example', username: '', repositories: ['*'], tags: [], target: '' },
  ...{ onPush: false, everyMinutes: null, enabled: true, inside: false },
}

/** On something of its own for each who tries, made by the owner. */
const onNew =
  <T>(make: (world: World, person: Person) => Promise<T>, call: (api: Api, made: T) => Promise<unknown>): Hand =>
  async (world, person) => {
    const thing = await make(world, person)
    return attempt(world, person, ORGANIZATION.read[person] === 'x', (api) => call(api, thing))
  }
const IMAGE = { repository: 'private', reference: 'v1' }
const WEBHOOK = { url: 'https://example.com/hook', events: ['push' as const], repositories: [], inside: false }
/** Past the services, which allow twenty. */
const webhook = async ({ h, scope: { organizationId } }: World) => {
  const data = { id: newId('outgoingWebhook'), organizationId, name: 'Hook', url: WEBHOOK.url, events: ['push'], secret: new Uint8Array(1) }
  return (await h.db.outgoingWebhook.create({ data })).id
}
const UPSTREAM = {
  ...{ url: 'https://registry.example', enabled: true, username: '', allowPrivate: false, anonymous: false },
  ...{ limitBytes: 1024 ** 3, revalidateMinutes: 5, shares: [] },
}

const upstream = async ({ h, scope }: World) => (await h.services.upstreams.create(scope, { ...UPSTREAM, host: `u${made++}.example` })).id

export const hands: Record<OrganizationVerb, Hand> = {
  'where a file is used': hand((api) => api.files.whereUsed({ org, kind: 'file', query: 'passwd' })),
  'links to an image': hand((api) => api.shares.list({ org, ...IMAGE })),
  'new link': hand((api) => api.shares.create({ org, ...IMAGE, expiresInHours: 1 })),
  'revoke a link': onNew(
    async ({ h, scope }) => (await h.services.shares.create(scope, { ...IMAGE, expiresInHours: 1 })).view.id,
    (api, id) => api.shares.revoke({ org, id }),
  ),
  'outgoing webhooks': hand((api) => api.outgoing.list({ org })),
  'new outgoing webhook': hand((api) => api.outgoing.create({ org, ...WEBHOOK, name: `Hook ${made++}` })),
  'change an outgoing webhook': onNew(webhook, (api, id) => api.outgoing.update({ org, id, enabled: false })),
  'its deliveries': onNew(webhook, (api, id) => api.outgoing.deliveries({ org, id })),
  'delete an outgoing webhook': onNew(webhook, (api, id) => api.outgoing.delete({ org, id })),
  'rules of tags': hand((api) => api.policies.rules({ org })),
  'add a rule of tags': hand((api) => api.policies.addRule({ org, kind: 'protected', tags: `never-${made++}` })),
  retention: hand((api) => api.policies.retention({ org })),
  'set retention': hand((api) => api.policies.setRetention({ org, rules: null })),
  'dry run of retention': hand((api) => api.policies.previewRetention({ org })),
  'run retention': hand((api) => api.policies.runRetention({ org })),
  'remove a rule of tags': onNew(
    async ({ h, scope }) => {
      const tags = `gone-${made++}`
      const rules = await h.services.policies.addRule(scope, { kind: 'protected', tags, builds: false, repositories: '*' })
      return rules.find((rule) => rule.tags === tags)?.id ?? ''
    },
    (api, id) => api.policies.removeRule({ org, id }),
  ),
  'change an upstream': onNew(upstream, (api, id) => api.upstreams.update({ org, id, ...UPSTREAM })),
  'empty an upstream': onNew(upstream, (api, id) => api.upstreams.empty({ org, id })),
  'remove an upstream': onNew(upstream, (api, id) => api.upstreams.remove({ org, id })),
  quota: hand((api) => api.policies.quota({ org })),
  'all quotas': hand((api) => api.policies.quotas({ org })),
  'set a quota': hand((api) => api.policies.setQuota({ org, organization: org, maxBytes: null, maxRepositories: null })),
  storage: hand((api) => api.storage.get({ org })),
  'collectable blobs': hand((api) => api.storage.collectable({ org })),
  'storage of all': hand((api) => api.storage.installation({ org })),
  // One at a time: the second is told that one is under way.
  'verify the store': hand((api) => api.storage.verify({ org }), ['CONFLICT']),
  upstreams: hand((api) => api.upstreams.list({ org })),
  'new upstream': hand((api) => api.upstreams.create({ org, ...UPSTREAM, host: `r${made++}.example` })),
  // To itself, which who may is told.
  'give a repository away': hand(
    (api) => api.repositories.transfer({ org, repository: 'private', to: org, confirm: 'private' }),
    ['BAD_REQUEST'],
  ),
  'remove a member': onNew(
    async ({ h, scope }, person) => {
      const { userId } = await h.user(`goes-${person}`)
      await h.join(userId, org, 'guest')
      return (await h.services.organizations.members(scope)).find((one) => one.name === `goes-${person}`)?.id ?? ''
    },
    (api, id) => api.members.remove({ org, id }),
  ),
  invitations: hand((api) => api.invitations.list({ org })),
  'revoke an invitation': onNew(
    async ({ h, scope }) => (await h.services.invitations.create(scope, { role: 'guest' })).view.id,
    (api, id) => api.invitations.revoke({ org, id }),
  ),
  'new robot': hand((api) =>
    api.robots.create({ org, name: `made-${made++}`, expiresInDays: 1, grants: [{ pattern: 'none', actions: ['pull'] }] }),
  ),
  read: hand((api) => api.organizations.get({ org })),
  watch: hand((api) => firstOf(api.organizations.watch({ org }))),
  members: hand((api) => api.organizations.members({ org })),
  search: hand((api) => api.organizations.search({ org, query: 'store' })),
  'audit log': hand((api) => api.organizations.audit({ org, limit: 5 })),
  'all images': hand((api) => api.images.repositories({ org, limit: 5 })),
  'all apps': hand((api) => api.apps.list({ org })),
  'new project': hand((api) => api.projects.create({ org, name: `Project ${made++}` })),
  invite: hand((api) => api.invitations.create({ org, role: 'guest' })),
  'invite an owner': hand((api) => api.invitations.create({ org, role: 'owner' })),
  'change a role': hand(async (api, world) => {
    const members = await world.h.services.organizations.members(world.scope)
    return api.members.setRole({ org, id: members.find((m) => m.name === 'guest')?.id ?? '', role: 'guest' })
  }),
  teams: hand((api) => api.teams.list({ org })),
  'new team': hand((api) => api.teams.create({ org, name: `Team ${made++}` })),
  robots: hand((api) => api.robots.list({ org })),
  replication: hand((api) => api.replication.list({ org })),
  'new replication': hand((api) => api.replication.create({ ...REPLICATION, name: `Copies ${made++}` })),
  // Who may is told that this installation has no engine.
  hosts: hand((api) => api.hosts.setBuildPolicy({ org, host: 'hst_00001', policy: {} }), ['SERVICE_UNAVAILABLE']),
}
