/** For tests of services and api: real PostgreSQL, real Redis, real keys on disk; the agent's socket leads nowhere unless given. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createAgent } from '@slipway/agent-client'
import type { views } from '@slipway/contracts'
import { newId } from '@slipway/core'
import { createFirstUser, createOrganization, type Db, type Role } from '@slipway/db'
import { closeQueues, connectRedis, createQueues, createSignals, type Queues } from '@slipway/jobs'
import { createSealer, readMasterKey } from '@slipway/secrets'
import { createTestDatabase, startTestRedis } from '@slipway/testing'
import { hashPassword } from 'better-auth/crypto'
import { createServices } from '../create-services'
import type { Deps, ServicesConfig } from '../deps'
import type { Identity, Scope } from '../scope'
import type { Services } from '../services'

export { imageOf, listingOf, readLayer } from '../layers/testing'

export interface Harness {
  services: Services
  deps: Deps
  db: Db
  databaseUrl: string
  queues: Queues
  secretsDir: string
  /** A user with the password `correct horse battery`, and an organization of theirs when `organization` is given. */
  user(name: string, organization?: string): Promise<Identity>
  join(userId: string, organization: string, role: Role): Promise<void>
  scope(identity: Identity, organization: string): Promise<Scope>
  /** A new user's organization of that name, with a project for `gitApp`. */
  organization(user: string, slug: string): Promise<Scope>
  /** An app whose code lies in a Git repository, with what the form proposes; `app` is its slug. */
  gitApp(scope: Scope, name?: string): Promise<views.CreatedAppView>
  /** A tagged image in the registry's tables; no blob is there. */
  image(scope: Scope, name: string, options?: { tag?: string; digest?: string }): Promise<{ digest: string; repositoryId: string }>
  close(): Promise<void>
}

export const TEST_PASSWORD = 'correct horse battery'

export async function createHarness(overrides: Partial<ServicesConfig> & { agentSocket?: string } = {}): Promise<Harness> {
  const { agentSocket = '/nonexistent/agent.sock', ...config } = overrides
  const [database, redis] = await Promise.all([createTestDatabase(), startTestRedis()])
  const secretsDir = await mkdtemp(path.join(tmpdir(), 'slipway-secrets-'))
  await writeFile(path.join(secretsDir, 'master.key'), randomBytes(32), { mode: 0o600 })
  const quiet = () => undefined
  const connection = connectRedis(redis.url, quiet)
  const deps: Deps = {
    db: database.db,
    queues: createQueues(redis.url, quiet),
    redis: connection,
    signals: createSignals(connection, connectRedis(redis.url, quiet), quiet),
    agent: createAgent({ socketPath: agentSocket }),
    sealer: createSealer(readMasterKey(secretsDir)),
    config: {
      version: '0.0.0-test',
      secretsDir,
      webUrl: 'http://localhost:3000',
      registryUrl: 'http://127.0.0.1:9',
      registryPort: 5000,
      routerPort: 8080,
      baseDomain: 'localhost',
      caddyAdmin: '/nonexistent/caddy.sock',
      ...config,
    },
    stopping: new AbortController().signal,
    log: { info: quiet, warn: quiet, error: quiet },
  }
  // Until Redis is connected, enqueueing is left to the sweep, which these tests have not.
  await Promise.all([deps.queues.build.waitUntilReady(), deps.queues.deploy.waitUntilReady(), deps.queues.converge.waitUntilReady()])
  const services = createServices(deps)
  const user: Harness['user'] = async (name, organization) => {
    const user = await createFirstUser(database.db, { id: newId('user'), name, email: `${name.toLowerCase()}@example.com`, passwordHash })
    if (organization) await createOrganization(database.db, { slug: organization, name: organization, ownerUserId: user.id })
    return { userId: user.id, name, email: user.email, via: 'session' }
  }
  const scope: Harness['scope'] = (identity, organization) =>
    services.organizations.scope({ userId: identity.userId, label: identity.name, ip: null }, organization)
  const passwordHash = await hashPassword(TEST_PASSWORD)

  return {
    services,
    deps,
    db: database.db,
    databaseUrl: database.url,
    queues: deps.queues,
    secretsDir,
    user,
    scope,
    async organization(name, slug) {
      const made = await scope(await user(name, slug), slug)
      await services.projects.create(made, { name: 'Web' })
      return made
    },
    gitApp: (scope, name = 'hello') =>
      services.apps.create(scope, {
        source: 'git',
        project: 'web',
        name,
        variables: [],
        gitUrl: `https://git.example.com/${name}.git`,
        gitBranch: 'main',
        dockerfilePath: 'Dockerfile',
        contextPath: '.',
        healthPath: '/',
        healthTimeoutSeconds: 60,
        autoDeploy: true,
      }),
    async image({ organizationId }, name, { tag = 'latest', digest = `sha256:${randomBytes(32).toString('hex')}` } = {}) {
      const pushedBy = 'Ada'
      const { id: repositoryId } = await database.db.repository.create({ data: { id: newId('repository'), organizationId, name } })
      const content = { mediaType: 'x', content: new Uint8Array(1), size: 1, totalSize: 1n }
      const manifest = { id: newId('manifest'), repositoryId, organizationId, digest, pushedBy, ...content }
      await database.db.manifest.create({ data: manifest })
      await database.db.tag.create({ data: { repositoryId, name: tag, manifestId: manifest.id, pushedBy } })
      return { digest, repositoryId }
    },
    async join(userId, organization, role) {
      const { id: organizationId } = await database.db.organization.findUniqueOrThrow({ where: { slug: organization } })
      await database.db.member.create({ data: { id: newId('member'), organizationId, userId, role } })
    },
    async close() {
      await deps.signals.close()
      await closeQueues(deps.queues)
      await redis.stop()
      await database.drop()
      await rm(secretsDir, { recursive: true, force: true })
    },
  }
}
