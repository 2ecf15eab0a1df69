/** The two registries: ours as `npm start` runs it, with tokens and a Postgres that syncs; Debian's, open to everybody. */
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { newId } from '@slipway/core'
import type { Db } from '@slipway/db'
import { signRegistryToken, type TokenAccess } from '@slipway/oci'
import { createTestDatabase } from '@slipway/testing'
import { newKeyPem, seedAccounts } from '../../../apps/registry/src/testing/fixture'
import { spawnRegistry, writeKey } from '../../../apps/registry/src/testing/process'
import { type Cleanup, hasRegistry, startRegistry } from '../engine/hosts'
import type { Target } from './load'

export const REPOSITORIES = ['acme/bench', 'acme/many', 'acme/docker']
export const MANY_TAGS = 10_000
export const MANY_REPOSITORIES = 1000

export interface Contender extends Target {
  name: string
  pid: number
  /** What `docker login` takes; none where nothing is asked. */
  login: { user: string; password: string } | null
  /** Ten thousand tags of that manifest in `acme/many`, and a thousand repositories: too many to push. */
  fill(digest: string): Promise<void>
}

const MANY = '1000000000/60'

export async function startOurs(folder: string, cleanup: Cleanup): Promise<Contender> {
  const data = mkdtempSync(join(folder, 'ours-'))
  const database = await createTestDatabase({ durable: true })
  cleanup.add(() => database.drop())
  const pem = newKeyPem()
  await writeKey(data, pem)
  const people = await seedAccounts(database.db)
  // Counted as always, but never reached: one account asks here as a thousand would.
  const limits = { SLIPWAY_REGISTRY_LIMIT_TOKENS: MANY, SLIPWAY_REGISTRY_LIMIT_MANIFESTS: MANY, SLIPWAY_REGISTRY_LIMIT_UPLOADS: MANY }
  const env = { NODE_ENV: 'production', SLIPWAY_LOG_LEVEL: 'info', ...limits }
  const registry = await spawnRegistry({ databaseUrl: database.url, data, env })
  cleanup.add(() => registry.end('SIGTERM'))
  const access: TokenAccess[] = REPOSITORIES.map((name) => ({ type: 'repository', name, actions: ['pull', 'push', 'delete'] }))
  access.push({ type: 'registry', name: 'catalog', actions: ['*'] })
  return {
    name: 'ours',
    host: `127.0.0.1:${registry.port}`,
    pid: registry.child.pid ?? 0,
    token: await signRegistryToken({ sub: people.ada.id, access, ttlSeconds: 3600 }, pem),
    login: { user: 'key', password: people.ada.apiKey },
    fill: (digest) => fillRows(database.db, digest),
  }
}

async function fillRows(db: Db, digest: string): Promise<void> {
  const manifest = await db.manifest.findFirstOrThrow({
    where: { digest, repository: { name: 'many' } },
    select: { id: true, repositoryId: true, organizationId: true },
  })
  const { id: manifestId, repositoryId, organizationId } = manifest
  const tags = Array.from({ length: MANY_TAGS - 1 }, (_, i) => ({ repositoryId, name: `v${i}`, manifestId, pushedBy: 'bench' }))
  await db.tag.createMany({ data: tags })
  const names = Array.from({ length: MANY_REPOSITORIES - REPOSITORIES.length }, (_, i) => `many/r${i}`)
  await db.repository.createMany({ data: names.map((name) => ({ id: newId('repository'), organizationId, name })) })
  // Their copies go into the store meanwhile; theirs are all written when its `fill` ends.
  while ((await db.recordChange.count()) > 0) await setTimeout(200)
}

/** Null when it is not installed. */
export async function startTheirs(folder: string, cleanup: Cleanup): Promise<Contender | null> {
  if (!hasRegistry()) return null
  const { host, pid, data } = await startRegistry(folder, cleanup, { cache: true })
  return { name: 'docker-registry', host, pid, token: '', login: null, fill: async (digest) => fillFolders(data, digest) }
}

/** As docker-registry lays them out itself. */
function fillFolders(data: string, digest: string): void {
  const repositories = join(data, 'docker/registry/v2/repositories/acme')
  const tags = join(repositories, 'many/_manifests/tags')
  for (let i = 0; i < MANY_TAGS - 1; i++) {
    const current = join(tags, `v${i}`, 'current')
    mkdirSync(current, { recursive: true })
    writeFileSync(join(current, 'link'), digest)
  }
  const there = REPOSITORIES.filter((name) => existsSync(join(repositories, name.slice('acme/'.length)))).length
  for (let i = 0; i < MANY_REPOSITORIES - there; i++) {
    for (const part of ['_layers/sha256', '_manifests/revisions', '_uploads']) {
      mkdirSync(join(repositories, 'many', `r${i}`, part), { recursive: true })
    }
  }
}
