/** Two organizations, one of everybody, and what they can be refused: the same database under the registry and under the panel. */
import { createHash, randomBytes } from 'node:crypto'
import { createCaller, createContext, type RouterInputs } from '@slipway/api'
import { newId, type Visibility } from '@slipway/core'
import type { Identity, Scope } from '@slipway/services'
import { createHarness, type Harness } from '@slipway/services/testing'
import { type Fixture, type PushedImage, startFixture } from '../../apps/registry/src/testing/fixture'
import { PEOPLE, type Person } from './table'

/** Letter → repository, as the tables name them. */
export const REPOSITORIES: Record<string, string> = {
  p: 'acme/private',
  i: 'acme/internal',
  u: 'acme/public',
  e: 'acme/elsewhere',
  n: 'acme/not-there-yet',
  o: 'rival/own',
}
const VISIBILITY: Record<string, Visibility> = { p: 'private', i: 'internal', u: 'public', e: 'private', o: 'private' }
export const nameOf = (letter: string) => (REPOSITORIES[letter] ?? '').split('/')[1] ?? ''

export interface World {
  h: Harness
  registry: Fixture
  images: Record<string, PushedImage>
  /** Of acme's owner. */
  scope: Scope
  identities: Partial<Record<Person, Identity>>
  /** A token with all that the person gets of `scopes`. */
  token(person: Person, ...scopes: string[]): Promise<string>
  /** The API as the person reaches it. */
  caller(person: Person): Promise<ReturnType<typeof createCaller>>
  context(person: Person): ReturnType<typeof createContext>
  close(): Promise<void>
}

/** True: it was done. False: refused as it ought to be. Text: something else, which fails the row. */
export type Hand = (world: World, person: Person, letter: string) => Promise<boolean | string>

export async function createWorld(): Promise<World> {
  const h = await createHarness()
  const registry = await startFixture({ database: { databaseUrl: h.databaseUrl, db: h.db, people: {} as never } })
  const { identities, scope } = await people(h)
  const images: Record<string, PushedImage> = {}
  for (const [letter, name] of Object.entries(REPOSITORIES)) {
    if (letter === 'n') continue
    images[letter] = await registry.push(name, 'v1', [`only in ${name}`])
    await h.db.repository.updateMany({ where: { name: nameOf(letter) }, data: { visibility: VISIBILITY[letter] ?? 'private' } })
  }
  await grants(h, scope, identities)
  const logins = await loginsOf(h, scope, identities)

  const token: World['token'] = async (person, ...scopes) => {
    const login = logins[person]
    const query = scopes.map((s) => `&scope=${encodeURIComponent(s)}`).join('')
    const response = await fetch(`${registry.base}/token?service=slipway${query}`, {
      headers: login ? { authorization: `Basic ${Buffer.from(login).toString('base64')}` } : {},
    })
    if (!response.ok) throw new Error(`${person}: ${response.status} ${await response.text()}`)
    return ((await response.json()) as { token: string }).token
  }
  const context: World['context'] = async (person) => {
    const secret = logins[person]?.split(':')[1]
    const made = await createContext({
      services: h.services,
      // A robot's or a link's secret opens nothing of the panel: it is tried.
      headers: new Headers(identities[person] ? {} : secret ? { authorization: `Bearer ${secret}` } : {}),
      responseHeaders: null,
      webUrl: 'http://localhost:3000',
      log: { error: () => undefined },
    })
    const identity = identities[person] ?? made.identity
    return { ...made, identity, sameOrigin: true }
  }
  return {
    h,
    registry,
    images,
    scope,
    identities,
    token,
    context,
    caller: async (person) => createCaller(await context(person)),
    async close() {
      await registry.close()
      await h.close()
    },
  }
}

const NO_ACCOUNT: readonly Person[] = ['robot', 'pusher', 'deleter', 'foreign', 'share', 'nobody']

async function people(h: Harness) {
  const identities: Partial<Record<Person, Identity>> = {}
  for (const person of PEOPLE) {
    if (NO_ACCOUNT.includes(person)) continue
    identities[person] = await h.user(person, person === 'owner' ? 'acme' : person === 'rival' ? 'rival' : undefined)
  }
  const idOf = (person: Person) => identities[person]?.userId ?? ''
  for (const role of ['admin', 'developer', 'guest'] as const) await h.join(idOf(role), 'acme', role)
  await h.join(idOf('team'), 'acme', 'guest')
  // Whom roles are given to and taken from.
  await h.user('extra')
  await h.db.host.create({ data: { id: 'hst_00001', name: 'here' } })
  const scope = await h.scope(identities.owner as Identity, 'acme')
  return { identities, scope }
}

/** Given as the panel gives them. */
async function grants(h: Harness, scope: Scope, identities: World['identities']) {
  const { access, teams, organizations, projects, apps } = h.services
  for (const name of ['Shop', 'Other']) await projects.create(scope, { name })
  for (const [project, name] of [
    ['shop', 'store'],
    ['other', 'thing'],
  ] as const) {
    const variables = [{ scope: 'runtime' as const, key: 'MODE', value: 'dark', secret: false }]
    const git = { gitUrl: `https://git.example.com/${name}.git`, gitBranch: 'main', dockerfilePath: 'Dockerfile', contextPath: '.' }
    const settings = { healthPath: '/', healthTimeoutSeconds: 60, autoDeploy: true }
    await apps.create(scope, { source: 'git', project, name, variables, ...git, ...settings })
  }
  await teams.create(scope, { name: 'Core' })
  const member = (await organizations.members(scope)).find((m) => m.name === 'team')
  await teams.addMember(scope, { team: 'core', member: member?.id ?? '' })
  const given = [
    { role: 'developer' as const, to: { kind: 'team' as const, team: 'core' } },
    ...(['reader', 'helper', 'keeper'] as const).map((person, i) => ({
      role: (['guest', 'developer', 'admin'] as const)[i] ?? 'guest',
      to: { kind: 'user' as const, email: identities[person]?.email ?? '' },
    })),
  ]
  for (const grant of given) {
    for (const letter of ['p', 'i', 'u']) await access.grantOnRepository(scope, { repository: nameOf(letter), ...grant })
    await access.grantOnProject(scope, { project: 'shop', ...grant })
  }
}

/** `user:password`, as docker login sends it. */
async function loginsOf(h: Harness, scope: Scope, identities: World['identities']): Promise<Partial<Record<Person, string>>> {
  const logins: Partial<Record<Person, string>> = {}
  for (const [person, identity] of Object.entries(identities) as [Person, Identity][]) {
    const key = `slp_${randomBytes(32).toString('base64url')}`
    const hash = createHash('sha256').update(key).digest('hex')
    await h.db.apiKey.create({ data: { id: newId('apiKey'), userId: identity.userId, name: 'test', prefix: key.slice(4, 12), hash } })
    logins[person] = `x:${key}`
  }
  const rival = await h.scope(identities.rival as Identity, 'rival')
  type Grants = RouterInputs['robots']['create']['grants']
  const robots: [Person, Grants][] = [
    ['robot', [{ pattern: '*', actions: ['pull'] }]],
    ['pusher', ['private', 'not-*'].map((pattern) => ({ pattern, actions: ['pull', 'push'] }))],
    ['deleter', [{ pattern: 'in*', actions: ['pull', 'delete'] }]],
  ]
  for (const [person, given] of robots) {
    const { secret } = await h.services.robots.create(scope, { name: person, expiresInDays: null, grants: given })
    logins[person] = `robot$acme+${person}:${secret}`
  }
  const all: Grants = [{ pattern: '*', actions: ['pull', 'push', 'delete'] }]
  const foreign = await h.services.robots.create(rival, { name: 'ci', expiresInDays: null, grants: all })
  logins.foreign = `robot$rival+ci:${foreign.secret}`
  const share = await h.services.shares.create(scope, { repository: 'private', reference: 'v1', expiresInHours: 1 })
  logins.share = `share:${share.url.split('/').at(-1)}`
  return logins
}
