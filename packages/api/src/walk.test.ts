/**
 * Every procedure of the router with another organization's ids, as a guest, as nobody, and from a foreign page
 * (design rule 2). The list is the router's own: a new procedure without an entry here fails the first test.
 */
import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Identity } from '@slipway/services'
import { createHarness, type Harness, listingOf, readLayer } from '@slipway/services/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Context } from './context'
import { appRouter, createCaller } from './root'

/** `app`, `build` …: names the row of organization `acme` that the input points at. `own`: the caller's own things, no organization. */
type Reach = 'public' | 'own' | 'organization' | 'row'
const app = { org: 'acme', app: 'web' }
const repository = { org: 'acme', repository: 'web' }
const image = { ...repository, reference: 'latest' }
const REPLICATION = {
  ...{ name: 'x', direction: 'push', remote: 'http://127.0.0.1:1', username: '', repositories: ['*'], tags: [], target: '' },
  ...{ onPush: false, everyMinutes: null, enabled: true, inside: false },
}
const UPSTREAM = {
  url: 'https://ghcr.io',
  enabled: true,
  username: '',
  allowPrivate: false,
  anonymous: false,
  limitBytes: 1024 ** 3,
  revalidateMinutes: 5,
  shares: [],
}
/** `nobody`: what a public one answers to made-up input. `ends`: takes the guest out of the organization, so that the walk leaves it to access.test.ts. */
/** `host`: asks the host's agent, which these tests have not: who may ask hears that it does not answer. */
const PROCEDURES: Record<string, { reach: Reach; input?: unknown; guestMay?: false; host?: true; nobody?: string; ends?: true }> = {
  'setup.status': { reach: 'public' },
  'setup.create': {
    reach: 'public',
    input: { token: 'x', name: 'Eve', email: 'eve@example.com', password: 'long enough pw', organizationName: 'Evil' },
    nobody: 'CONFLICT',
  },
  'system.health': { reach: 'public' },
  'policies.quota': { reach: 'organization' },
  'policies.quotas': { reach: 'organization', guestMay: false },
  'policies.setQuota': {
    reach: 'organization',
    input: { org: 'acme', organization: 'acme', maxBytes: 1, maxRepositories: null },
    guestMay: false,
  },
  'policies.rules': { reach: 'organization' },
  'policies.addRule': { reach: 'organization', input: { org: 'acme', kind: 'immutable', tags: 'v*' }, guestMay: false },
  'policies.removeRule': { reach: 'row', input: { org: 'acme', id: 'tgr_00001' }, guestMay: false },
  'policies.retention': { reach: 'organization' },
  'policies.setRetention': { reach: 'organization', input: { org: 'acme', rules: null }, guestMay: false },
  'policies.previewRetention': { reach: 'organization', input: { org: 'acme' } },
  'policies.runRetention': { reach: 'organization', guestMay: false },
  'repositories.policies': { reach: 'row', input: image },
  'repositories.addRule': { reach: 'row', input: { ...image, kind: 'immutable', tags: 'v*' }, guestMay: false },
  'repositories.removeRule': { reach: 'row', input: { ...image, id: 'tgr_00001' }, guestMay: false },
  'repositories.setRetention': { reach: 'row', input: { ...image, rules: 'keep' }, guestMay: false },
  'repositories.previewRetention': { reach: 'row', input: image },
  'repositories.about': { reach: 'row', input: image },
  'repositories.setAbout': { reach: 'row', input: { ...image, description: 'Stolen' }, guestMay: false },
  'repositories.rename': { reach: 'row', input: { ...image, name: 'stolen' }, guestMay: false },
  'repositories.transfer': { reach: 'row', input: { ...image, to: 'evil', confirm: 'web' }, guestMay: false },
  'repositories.delete': { reach: 'row', input: { ...image, confirm: 'web' }, guestMay: false },
  'repositories.forgetName': { reach: 'row', input: { ...image, oldName: 'acme/old' }, guestMay: false },
  'repositories.moved': { reach: 'own', input: image },
  'me.get': { reach: 'own' },
  'me.apiKeys.list': { reach: 'own' },
  'me.apiKeys.create': { reach: 'own', input: { name: 'ci' } },
  'me.apiKeys.revoke': { reach: 'own', input: { id: 'key_of_somebody_else' } },
  'access.repository': { reach: 'row', input: image },
  'access.setVisibility': { reach: 'row', input: { ...image, visibility: 'public', confirm: 'web' }, guestMay: false },
  'access.grantOnRepository': {
    reach: 'row',
    input: { ...image, role: 'admin', to: { kind: 'user', email: 'mallory@example.com' } },
    guestMay: false,
  },
  'access.revokeOnRepository': { reach: 'row', input: { ...image, id: 'grt_00001' }, guestMay: false },
  'access.project': { reach: 'row', input: { org: 'acme', project: 'shop' } },
  'access.grantOnProject': {
    reach: 'row',
    input: { org: 'acme', project: 'shop', role: 'admin', to: { kind: 'user', email: 'mallory@example.com' } },
    guestMay: false,
  },
  'access.revokeOnProject': { reach: 'row', input: { org: 'acme', project: 'shop', id: 'grt_00001' }, guestMay: false },
  'access.shared': { reach: 'own', input: {} },
  'access.outside': { reach: 'own', input: { org: 'acme' } },
  'members.setRole': { reach: 'row', input: { org: 'acme', id: 'mem_00001', role: 'owner' }, guestMay: false },
  'members.remove': { reach: 'row', input: { org: 'acme', id: 'mem_00001' }, guestMay: false },
  'members.leave': { reach: 'organization', guestMay: false, ends: true },
  'invitations.list': { reach: 'organization', guestMay: false },
  'invitations.create': { reach: 'organization', input: { org: 'acme', role: 'owner' }, guestMay: false },
  'invitations.revoke': { reach: 'row', input: { org: 'acme', id: 'inv_00001' }, guestMay: false },
  'invitations.look': { reach: 'public', input: { token: 'x' }, nobody: 'NOT_FOUND' },
  'invitations.accept': { reach: 'own', input: { token: 'x' } },
  'invitations.join': {
    reach: 'public',
    input: { token: 'x', name: 'Eve', email: 'eve@example.com', password: 'long enough pw' },
    nobody: 'NOT_FOUND',
  },
  'teams.list': { reach: 'organization' },
  'teams.create': { reach: 'organization', input: { org: 'acme', name: 'Evil' }, guestMay: false },
  'teams.delete': { reach: 'row', input: { org: 'acme', team: 'core' }, guestMay: false },
  'teams.addMember': { reach: 'row', input: { org: 'acme', team: 'core', member: 'mem_00001' }, guestMay: false },
  'teams.removeMember': { reach: 'row', input: { org: 'acme', team: 'core', member: 'mem_00001' }, guestMay: false },
  'me.logins.list': { reach: 'own' },
  'me.logins.end': { reach: 'own', input: { id: 'rft_of_somebody_else' } },
  'organizations.create': { reach: 'own', input: { name: 'Another' } },
  'organizations.get': { reach: 'organization' },
  'organizations.members': { reach: 'organization' },
  'organizations.addMember': {
    reach: 'organization',
    input: { org: 'acme', email: 'mallory@example.com', role: 'owner' },
    guestMay: false,
  },
  'organizations.search': { reach: 'organization', input: { org: 'acme', query: 'web' } },
  'organizations.audit': { reach: 'organization' },
  'organizations.auditFacets': { reach: 'organization' },
  'organizations.knownHosts': { reach: 'organization' },
  'organizations.forgetKnownHost': { reach: 'row', input: { org: 'acme', id: 'knh_00001' }, guestMay: false },
  'organizations.watch': { reach: 'organization' },
  'projects.list': { reach: 'organization' },
  'projects.create': { reach: 'organization', input: { org: 'acme', name: 'New' }, guestMay: false },
  'apps.list': { reach: 'organization' },
  'apps.get': { reach: 'row', input: app },
  'apps.create': {
    reach: 'organization',
    input: { org: 'acme', project: 'shop', source: 'git', name: 'x', gitUrl: 'https://git.example.com/x.git' },
    guestMay: false,
  },
  'apps.createExample': { reach: 'organization', input: { org: 'acme', example: 'hello' }, guestMay: false },
  'apps.update': { reach: 'row', input: { ...app, name: 'Stolen' }, guestMay: false },
  'apps.setDeployKey': { reach: 'row', input: app, guestMay: false },
  'apps.variables': { reach: 'row', input: app },
  'apps.setVariables': { reach: 'row', input: { ...app, variables: [] }, guestMay: false },
  'apps.webhook': { reach: 'row', input: app, guestMay: false },
  'apps.rotateWebhookSecret': { reach: 'row', input: app, guestMay: false },
  'apps.stop': { reach: 'row', input: app, guestMay: false },
  'apps.start': { reach: 'row', input: app, guestMay: false },
  'apps.delete': { reach: 'row', input: { ...app, confirm: 'web' }, guestMay: false },
  'apps.stats': { reach: 'row', input: app },
  'apps.watch': { reach: 'row', input: app },
  'apps.logs': { reach: 'row', input: app },
  'builds.list': { reach: 'row', input: app },
  'builds.get': { reach: 'row', input: { ...app, number: 1 } },
  'builds.trigger': { reach: 'row', input: app, guestMay: false },
  'builds.upload': {
    reach: 'row',
    input: { ...app, tree: `sha256:${'a'.repeat(64)}`, dockerfile: { path: 'Dockerfile', text: 'FROM scratch' } },
    guestMay: false,
  },
  'contexts.missing': { reach: 'organization', input: { org: 'acme', trees: ['a'.repeat(64)], blobs: [] }, guestMay: false },
  'contexts.send': { reach: 'organization', input: { encoding: 'none', body: new ReadableStream() }, guestMay: false },
  'builds.cancel': { reach: 'row', input: { ...app, number: 1 }, guestMay: false },
  // Nobody forwards an agent to this build: ssh.test.ts of services says who may.
  'builds.sshRequests': { reach: 'row', input: { ...app, number: 1 }, guestMay: false },
  'builds.sshAnswer': {
    reach: 'row',
    input: { ...app, number: 1, ask: '00000000-0000-4000-8000-000000000000', message: 'BQ==' },
    guestMay: false,
  },
  'builds.made': { reach: 'row', input: { ...app, number: 1 }, host: true },
  'builds.logs': { reach: 'row', input: { ...app, number: 1 } },
  'builds.insights': { reach: 'row', input: { ...app, number: 1 } },
  'builds.watch': { reach: 'row', input: { ...app, number: 1 } },
  'inspections.start': { reach: 'row', input: { ...app, of: 'app' }, guestMay: false },
  'inspections.get': { reach: 'row', input: { org: 'acme', id: 'ins_00001' }, guestMay: false },
  'inspections.cancel': { reach: 'row', input: { org: 'acme', id: 'ins_00001' }, guestMay: false },
  'inspections.watch': { reach: 'row', input: { org: 'acme', id: 'ins_00001' }, guestMay: false },
  'deployments.list': { reach: 'row', input: app },
  'deployments.get': { reach: 'row', input: { ...app, number: 1 } },
  'deployments.redeploy': { reach: 'row', input: app, guestMay: false },
  'deployments.rollback': { reach: 'row', input: { ...app, number: 1 }, guestMay: false },
  'deployments.cancel': { reach: 'row', input: { ...app, number: 1 }, guestMay: false },
  'deployments.watch': { reach: 'row', input: { ...app, number: 1 } },
  'images.repositories': { reach: 'organization' },
  'images.repository': { reach: 'row', input: image },
  'images.tags': { reach: 'row', input: image },
  'images.history': { reach: 'row', input: { ...repository, tag: 'latest' } },
  'images.untagged': { reach: 'row', input: repository },
  'images.pointTag': { reach: 'row', input: { ...repository, tag: 'latest', digest: `sha256:${'a'.repeat(64)}` }, guestMay: false },
  'images.get': { reach: 'row', input: image },
  'images.sbom': { reach: 'row', input: image },
  'images.provenance': { reach: 'row', input: image },
  'images.attached': { reach: 'row', input: image },
  'images.attestation': { reach: 'row', input: { ...image, kind: 'sbom' } },
  'files.state': { reach: 'row', input: image },
  'files.list': { reach: 'row', input: image },
  'files.search': { reach: 'row', input: { ...image, query: 'motd' } },
  // Asks the registry, which these tests have not.
  'files.text': { reach: 'row', input: { ...image, path: 'etc/motd' }, host: true },
  'files.packages': { reach: 'row', input: image },
  'files.compare': { reach: 'row', input: { ...image, other: { repository: 'web', reference: 'latest' } } },
  'files.whereUsed': { reach: 'organization', input: { org: 'acme', kind: 'file', query: 'motd' } },
  'images.delete': { reach: 'row', input: image, guestMay: false },
  'robots.list': { reach: 'organization', guestMay: false },
  'robots.create': {
    reach: 'organization',
    input: { org: 'acme', name: 'spy', grants: [{ pattern: '*', actions: ['pull'] }], expiresInDays: null },
    guestMay: false,
  },
  'robots.update': { reach: 'row', input: { org: 'acme', id: 'rob_00001', disabled: true }, guestMay: false },
  'robots.rotate': { reach: 'row', input: { org: 'acme', id: 'rob_00001' }, guestMay: false },
  'robots.delete': { reach: 'row', input: { org: 'acme', id: 'rob_00001' }, guestMay: false },
  'shares.list': { reach: 'row', input: image, guestMay: false },
  'shares.create': { reach: 'row', input: { ...image, expiresInHours: 24 }, guestMay: false },
  'shares.revoke': { reach: 'row', input: { org: 'acme', id: 'shr_00001' }, guestMay: false },
  'shares.open': { reach: 'public', input: { token: 'x' } },
  'hosts.list': { reach: 'organization' },
  // Of the installation, not of an organization: who else is refused stands in services' build-policy.test.ts.
  'hosts.buildPolicy': { reach: 'organization', input: { org: 'acme', host: 'host_1' }, guestMay: false },
  'hosts.previewBuildPolicy': { reach: 'organization', input: { org: 'acme', host: 'host_1', policy: {} }, guestMay: false },
  'hosts.setBuildPolicy': { reach: 'organization', input: { org: 'acme', host: 'host_1', policy: {} }, guestMay: false },
  'storage.get': { reach: 'organization' },
  'storage.repositories': { reach: 'organization' },
  'storage.collectable': { reach: 'organization' },
  // The whole store, as the hosts: services' storage.test.ts says who is refused besides.
  'storage.installation': { reach: 'organization', guestMay: false },
  'storage.verify': { reach: 'organization', guestMay: false },
  'storage.verification': { reach: 'organization', input: { org: 'acme', id: 'ver_00001' }, guestMay: false },
  'storage.cancelVerification': { reach: 'organization', input: { org: 'acme', id: 'ver_00001' }, guestMay: false },
  // Of the installation as well: who else is refused stands in services' registry-keys.test.ts and upstreams.test.ts.
  'registryKeys.list': { reach: 'organization', guestMay: false },
  'registryKeys.rotate': { reach: 'organization', guestMay: false },
  'upstreams.list': { reach: 'organization' },
  'upstreams.create': { reach: 'organization', input: { org: 'acme', host: 'ghcr.io', ...UPSTREAM }, guestMay: false },
  'upstreams.update': { reach: 'organization', input: { org: 'acme', id: 'ups_00001', ...UPSTREAM }, guestMay: false },
  'upstreams.remove': { reach: 'organization', input: { org: 'acme', id: 'ups_00001' }, guestMay: false },
  'upstreams.empty': { reach: 'organization', input: { org: 'acme', id: 'ups_00001' }, guestMay: false },
  'upstreams.test': {
    reach: 'organization',
    input: { org: 'acme', id: 'ups_00001', url: 'http://127.0.0.1:1', username: '', allowPrivate: false },
    guestMay: false,
  },
  'outgoing.list': { reach: 'organization', guestMay: false },
  'outgoing.create': {
    reach: 'organization',
    input: { org: 'acme', name: 'x', url: 'https://example.com', events: ['push'] },
    guestMay: false,
  },
  'outgoing.update': { reach: 'row', input: { org: 'acme', id: 'owh_00001', name: 'x' }, guestMay: false },
  'outgoing.rotateSecret': { reach: 'row', input: { org: 'acme', id: 'owh_00001' }, guestMay: false },
  'outgoing.delete': { reach: 'row', input: { org: 'acme', id: 'owh_00001' }, guestMay: false },
  'outgoing.test': { reach: 'row', input: { org: 'acme', id: 'owh_00001' }, guestMay: false },
  'outgoing.deliveries': { reach: 'row', input: { org: 'acme', id: 'owh_00001' }, guestMay: false },
  'outgoing.delivery': { reach: 'row', input: { org: 'acme', id: 'odl_00001' }, guestMay: false },
  'outgoing.redeliver': { reach: 'row', input: { org: 'acme', id: 'odl_00001' }, guestMay: false },
  'replication.list': { reach: 'organization', guestMay: false },
  'replication.create': { reach: 'organization', input: { org: 'acme', ...REPLICATION }, guestMay: false },
  'replication.update': { reach: 'row', input: { org: 'acme', id: 'rpl_00001', ...REPLICATION }, guestMay: false },
  'replication.delete': { reach: 'row', input: { org: 'acme', id: 'rpl_00001' }, guestMay: false },
  'replication.test': {
    reach: 'row',
    input: { org: 'acme', id: 'rpl_00001', remote: 'http://127.0.0.1:1', username: '', inside: false },
    guestMay: false,
  },
  'replication.run': { reach: 'row', input: { org: 'acme', id: 'rpl_00001' }, guestMay: false },
  'replication.runs': { reach: 'row', input: { org: 'acme', id: 'rpl_00001' }, guestMay: false },
  'replication.runOf': { reach: 'row', input: { org: 'acme', id: 'rrn_00001' }, guestMay: false },
  'replication.items': { reach: 'row', input: { org: 'acme', id: 'rrn_00001' }, guestMay: false },
  'replication.cancel': { reach: 'row', input: { org: 'acme', id: 'rrn_00001' }, guestMay: false },
  'buildCache.get': { reach: 'organization', host: true },
  'buildCache.preview': { reach: 'organization', input: { org: 'acme' }, host: true },
  'buildCache.clear': { reach: 'organization', input: { org: 'acme' }, guestMay: false },
}
const ALL = Object.entries(PROCEDURES)
const inputOf = (entry: (typeof PROCEDURES)[string], org = 'acme') =>
  entry.reach === 'organization' || entry.reach === 'row' ? { ...((entry.input as object) ?? {}), org } : entry.input
const typeOf = (path: string): string => {
  const procedures = appRouter._def.procedures as unknown as Record<string, { _def: { type: string } }>
  return procedures[path]?._def.type ?? 'missing'
}

let h: Harness
let owner: Identity
let mallory: Identity
let guest: Identity

beforeAll(async () => {
  h = await createHarness()
  const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  await writeFile(join(h.secretsDir, 'registry-token.pem'), key)
  owner = await h.user('Ada', 'acme')
  mallory = await h.user('Mallory', 'evil')
  guest = await h.user('Guest')
  await h.join(guest.userId, 'acme', 'guest')
  await furnish('acme', owner)
})
afterAll(() => h.close())

/** One of everything: project, app with a build, a deployment, a look at its repository, and an image. */
async function furnish(organization: string, identity: Identity) {
  const caller = callerOf(identity)
  await caller.projects.create({ org: organization, name: 'Shop' })
  await caller.apps.create({ org: organization, project: 'shop', source: 'git', name: 'web', gitUrl: 'https://git.example.com/web.git' })
  const { organizationId } = await h.scope(identity, organization)
  await h.db.inspection.create({
    data: { id: 'ins_00001', organizationId, gitUrl: 'https://git.example.com/web.git', gitBranch: 'main', state: 'succeeded' },
  })
  await h.db.team.create({ data: { id: 'tea_00001', organizationId, slug: 'core', name: 'Core' } })
  await h.db.member.updateMany({ where: { organizationId, userId: identity.userId }, data: { id: 'mem_00001' } })
  await h.db.storeVerification.create({ data: { id: 'ver_00001', requestedBy: 'Ada', state: 'done' } })
  await h.db.outgoingWebhook.create({
    data: { id: 'owh_00001', organizationId, name: 'ci', url: 'https://example.com', events: ['push'], secret: new Uint8Array(1) },
  })
  await h.db.outgoingDelivery.create({ data: { id: 'odl_00001', organizationId, webhookId: 'owh_00001', kind: 'push', body: '{}' } })
  await h.db.replicationRule.create({
    data: { ...{ id: 'rpl_00001', organizationId, name: 'x', direction: 'push', remote: 'http://127.0.0.1:1' }, repositories: ['*'] },
  })
  const run = { id: 'rrn_00001', organizationId, ruleId: 'rpl_00001', trigger: 'push', actorLabel: 'Ada', repository: 'web' }
  await h.db.replicationRun.create({ data: run })
  await h.db.knownHost.create({ data: { id: 'knh_00001', organizationId, host: 'git.example', keyType: 'ssh-ed25519', key: 'AAAA' } })
  const repository = await h.db.repository.create({ data: { id: 'rep_00001', organizationId, name: 'web' } })
  const manifest = await h.db.manifest.create({
    data: {
      id: 'man_00001',
      repositoryId: repository.id,
      organizationId,
      digest: `sha256:${'a'.repeat(64)}`,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      content: new Uint8Array(2),
      size: 2,
      totalSize: 2n,
      pushedBy: 'Ada',
    },
  })
  const layer = await readLayer(h.db, listingOf({ 'etc/motd': 'hello' }))
  await h.db.manifestLayer.create({ data: { manifestId: manifest.id, position: 0, digest: layer, mediaType: 'x.tar', size: 1n } })
  await h.db.repositoryBlob.create({ data: { repositoryId: repository.id, digest: layer, size: 1n } })
  await h.db.tag.create({ data: { repositoryId: repository.id, name: 'latest', manifestId: manifest.id, pushedBy: 'Ada' } })
  await h.db.robot.create({
    data: { id: 'rob_00001', organizationId, name: 'ci', prefix: 'x', hash: 'r', grants: [], createdBy: 'Ada' },
  })
  const link = { repositoryId: repository.id, digest: manifest.digest, prefix: 'x', hash: 's', createdBy: 'Ada' }
  await h.db.share.create({ data: { id: 'shr_00001', organizationId, ...link, expiresAt: new Date(Date.now() + 3_600_000) } })
  await h.db.build.updateMany({ where: { organizationId, number: 1 }, data: { state: 'succeeded', manifestDigest: manifest.digest } })
  const build = await h.db.build.findFirstOrThrow({ where: { organizationId, number: 1 } })
  await h.services.deployments.createFromBuild(build.id)
}

function contextOf(identity: Identity | null, more: Partial<Context> = {}): Context {
  return {
    services: h.services,
    identity,
    sameOrigin: true,
    ip: null,
    headers: new Headers(),
    responseHeaders: null,
    log: { error: () => undefined },
    ...more,
  }
}
const callerOf = (identity: Identity | null, more?: Partial<Context>) => createCaller(contextOf(identity, more))

/** Calls by path; of a subscription, the first item. Resolves to the refusal's code, or `allowed`. */
async function outcome(path: string, input: unknown, identity: Identity | null, more?: Partial<Context>): Promise<string> {
  let target: unknown = callerOf(identity, more)
  for (const part of path.split('.')) target = (target as Record<string, unknown>)[part]
  try {
    const result = await (target as (input: unknown) => Promise<unknown>)(input)
    if (typeOf(path) === 'subscription') {
      const iterator = (result as AsyncIterable<unknown>)[Symbol.asyncIterator]()
      await Promise.race([iterator.next(), new Promise((resolve) => setTimeout(resolve, 300))])
      void iterator.return?.()
    }
    return 'allowed'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

it('knows every procedure of the router', () => {
  expect(Object.keys(appRouter._def.procedures).sort()).toEqual(Object.keys(PROCEDURES).sort())
})

describe('nobody', () => {
  it.each(ALL)('%s', async (path, entry) => {
    const expected = entry.reach !== 'public' ? 'UNAUTHORIZED' : (entry.nobody ?? 'allowed')
    expect(await outcome(path, inputOf(entry), null)).toBe(expected)
  })
})

describe('a member of another organization, with the name of this one', () => {
  it.each(ALL.filter(([, { reach }]) => reach === 'organization' || reach === 'row'))('%s', async (path, entry) => {
    expect(await outcome(path, inputOf(entry), mallory)).toBe('NOT_FOUND')
  })
})

describe('a member of another organization, in their own, with the ids of this one', () => {
  it.each(ALL.filter(([, { reach }]) => reach === 'row'))('%s', async (path, entry) => {
    expect(await outcome(path, inputOf(entry, 'evil'), mallory)).toBe('NOT_FOUND')
  })
  it('access.outside', async () => {
    expect(await outcome('access.outside', { org: 'acme' }, mallory)).toBe('NOT_FOUND')
  })
  it('me.apiKeys.revoke', async () => {
    const { view } = await callerOf(owner).me.apiKeys.create({ name: 'mine' })
    expect(await outcome('me.apiKeys.revoke', { id: view.id }, mallory)).toBe('NOT_FOUND')
    expect(await callerOf(owner).me.apiKeys.list()).toHaveLength(1)
  })
})

describe('a guest', () => {
  it.each(ALL.filter(([, { reach, ends }]) => !ends && (reach === 'organization' || reach === 'row')))('%s', async (path, entry) => {
    const got = await outcome(path, inputOf(entry), guest)
    if (entry.guestMay === false) expect(got).toBe('FORBIDDEN')
    else expect(got).toBe(entry.host ? 'SERVICE_UNAVAILABLE' : 'allowed')
  })
  it('may change nothing: every mutation is on the list of refusals', () => {
    for (const [path, entry] of ALL)
      if (typeOf(path) === 'mutation' && (entry.reach === 'organization' || entry.reach === 'row'))
        expect([path, entry.guestMay]).toEqual([path, false])
  })
  it('sees the names of variables, but no value', async () => {
    const variables = [
      { scope: 'runtime' as const, key: 'MODE', value: 'dark', secret: false },
      { scope: 'runtime' as const, key: 'TOKEN', value: 's3cret', secret: true },
    ]
    const set = await callerOf(owner).apps.setVariables({ ...app, variables })
    expect(set.map(({ key, value }) => [key, value])).toEqual([
      ['MODE', 'dark'],
      ['TOKEN', null],
    ])
    expect((await callerOf(guest).apps.variables(app)).map(({ value }) => value)).toEqual([null, null])
  })
})

describe('a page of another site, with the cookie', () => {
  it.each(ALL.filter(([path, { reach }]) => typeOf(path) === 'mutation' && reach !== 'public'))('%s', async (path, entry) => {
    expect(await outcome(path, inputOf(entry), owner, { sameOrigin: false })).toBe('FORBIDDEN')
  })
  it('but an API key needs no origin', async () => {
    expect(await outcome('projects.create', { org: 'acme', name: 'By key' }, { ...owner, via: 'apiKey' }, { sameOrigin: false })).toBe(
      'allowed',
    )
  })
})

it('left everything of the organization as it was', async () => {
  const got = await callerOf(owner).apps.get(app)
  expect(got).toMatchObject({ name: 'web', desiredState: 'running', slug: 'web' })
  expect((await callerOf(owner).organizations.members({ org: 'acme' })).map((member) => member.name)).toEqual(['Ada', 'Guest'])
  expect((await callerOf(owner).images.repositories({ org: 'acme' })).items).toMatchObject([{ name: 'web', tags: 1 }])
})
