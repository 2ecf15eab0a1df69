import { ORGANIZATION, type OrganizationVerb } from '../table'
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

export const hands: Record<OrganizationVerb, Hand> = {
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
