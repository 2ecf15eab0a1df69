/** For tests: a registry over a real database and a real folder, with two organizations that must not see each other. */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newId } from '@slipway/core'
import type { Db } from '@slipway/db'
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST, signRegistryToken, type TokenAccess } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import type { Sealer } from '@slipway/secrets'
import { createTestDatabase } from '@slipway/testing'
import { hashPassword } from 'better-auth/crypto'
import { type Logger, pino } from 'pino'
import { type TokenKeys, tokenKeysOf } from '../auth/keys'
import type { RequestLimits } from '../auth/request-limits'
import { type Patience, startRegistry } from '../server'
import { FilesystemStore } from '../store/filesystem'
import type { BlobStore } from '../store/store'
import type { RemoteLimits } from '../upstream/remote'

export const PASSWORD = 'correct horse battery'
export const newKeyPem = () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

export interface Person {
  id: string
  email: string
  apiKey: string
}

export interface People {
  ada: Person
  dan: Person
  gus: Person
  eve: Person
}

/** acme: ada (owner), dan (developer), gus (guest). rival: eve (owner). All with PASSWORD and an API key. */
export async function seedAccounts(db: Db): Promise<People> {
  const hash = await hashPassword(PASSWORD)
  const person = async (name: string, slug: string, role: 'owner' | 'developer' | 'guest'): Promise<Person> => {
    const id = newId('user')
    const apiKey = `slp_${randomBytes(32).toString('base64url')}`
    const email = `${name}@example.com`
    await db.user.create({
      data: {
        id,
        name,
        email,
        accounts: { create: { id: newId('user'), accountId: id, providerId: 'credential', password: hash } },
        apiKeys: { create: { id: newId('apiKey'), name: 'test', prefix: apiKey.slice(4, 12), hash: sha256(apiKey) } },
        memberships: { create: { id: newId('member'), role, organization: { connect: { slug } } } },
      },
    })
    return { id, email, apiKey }
  }
  for (const slug of ['acme', 'rival']) await db.organization.create({ data: { id: newId('organization'), slug, name: slug } })
  return {
    ada: await person('ada', 'acme', 'owner'),
    dan: await person('dan', 'acme', 'developer'),
    gus: await person('gus', 'acme', 'guest'),
    eve: await person('eve', 'rival', 'owner'),
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

export interface Fixture {
  db: Db
  databaseUrl: string
  people: People
  pem: string
  root: string
  base: string
  /** A token as the worker makes it, with whatever access. */
  sign(access: TokenAccess[], sub?: string): Promise<string>
  /** A request with a token for `all` on the repository named in its path. */
  call(method: string, url: string, init?: CallInit): Promise<Response>
  pushBlob(name: string, content: string): Promise<string>
  push(name: string, tag: string, layers?: string[]): Promise<PushedImage>
  store: BlobStore
  log: Logger
  mirrorPort: number | undefined
  /** Writes what upstreams noted, and lets their caches shrink. */
  settle(): Promise<void>
  close(): Promise<void>
}

export interface CallInit {
  headers?: Record<string, string>
  body?: string | Buffer
  /** Replaces the token made for the path; empty sends none. */
  token?: string
}

export interface PushedImage {
  digest: string
  manifest: string
  config: string
  layers: string[]
}

export async function startFixture({
  store,
  maxBlobBytes = 1024 ** 3,
  database: shared,
  keys,
  log = pino({ level: 'silent' }),
  ...others
}: {
  store?: BlobStore
  maxBlobBytes?: number
  sealer?: Sealer
  mirrorPort?: number
  upstreamLimits?: RemoteLimits
  limits?: RequestLimits
  /** Instead of one that stays, whose tokens the fixture makes itself. */
  keys?: TokenKeys
  patience?: Partial<Patience>
  maxConnections?: number
  log?: Logger
  /** Another registry over the same database, with keys of its own. */
  database?: { databaseUrl: string; db: Db; people: People }
} = {}): Promise<Fixture> {
  const database = shared ? { db: shared.db, url: shared.databaseUrl, drop: async () => undefined } : await createTestDatabase()
  const root = await mkdtemp(path.join(tmpdir(), 'slipway-registry-'))
  const pem = newKeyPem()
  const people = shared?.people ?? (await seedAccounts(database.db))
  const bytes = store ?? new FilesystemStore(root)
  const registry = await startRegistry({
    ...others,
    databaseUrl: database.url,
    store: bytes,
    keys: keys ?? tokenKeysOf(pem),
    log,
    host: '127.0.0.1',
    port: 0,
    maxBlobBytes,
    version: 'test',
  })
  const base = `http://127.0.0.1:${registry.port}`
  const client = new TestClient(base, pem)
  return {
    db: database.db,
    databaseUrl: database.url,
    people,
    pem,
    root,
    base,
    sign: client.sign,
    call: client.call,
    pushBlob: client.pushBlob,
    push: client.push,
    store: bytes,
    log,
    mirrorPort: registry.mirrorPort,
    settle: registry.settle,
    async close() {
      await registry.stop(500)
      await database.drop()
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** Speaks to a registry at `base`, wherever it runs, with tokens it signs itself. */
export class TestClient {
  constructor(
    readonly base: string,
    readonly pem: string,
  ) {}

  sign = (access: TokenAccess[], sub = 'system:test') => signRegistryToken({ sub, access, ttlSeconds: 60 }, this.pem)

  call = async (method: string, url: string, { headers = {}, body, token }: CallInit = {}): Promise<Response> => {
    const name = /^\/v2\/(.+)\/(?:blobs|manifests|tags|referrers)\//.exec(url)?.[1] ?? ''
    const bearer = token ?? (await this.sign([{ type: 'repository', name, actions: ['pull', 'push', 'delete'] }]))
    return fetch(this.base + url, {
      method,
      body: body as BodyInit | undefined,
      headers: { ...(bearer ? { authorization: `Bearer ${bearer}` } : {}), ...headers },
    })
  }

  pushBlob = async (name: string, content: string): Promise<string> => {
    const digest = digestBytes(content)
    const response = await this.call('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: content })
    if (response.status !== 201) throw new Error(`blob: ${response.status} ${await response.text()}`)
    return digest
  }

  push = async (name: string, tag: string, layers: string[] = ['layer one', 'layer two']): Promise<PushedImage> => {
    const config = JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      config: { Env: ['A=1'] },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => digestBytes(`tar of ${layer}`)) },
      history: [
        { created_by: 'ENV A=1', empty_layer: true },
        ...layers.map((layer) => ({ created: '2026-11-20T10:00:00Z', created_by: `RUN make ${layer}` })),
      ],
    })
    for (const content of [config, ...layers]) await this.pushBlob(name, content)
    const describe = (mediaType: string, content: string) => ({ mediaType, digest: digestBytes(content), size: Buffer.byteLength(content) })
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: describe(OCI_CONFIG, config),
      layers: layers.map((layer) => describe(OCI_LAYER_GZIP, layer)),
    })
    const response = await this.call('PUT', `/v2/${name}/manifests/${tag}`, { headers: { 'content-type': OCI_MANIFEST }, body: manifest })
    if (response.status !== 201) throw new Error(`manifest: ${response.status} ${await response.text()}`)
    return { digest: digestBytes(manifest), manifest, config: digestBytes(config), layers: layers.map((layer) => digestBytes(layer)) }
  }
}
