/** For tests that kill: a registry process on a database and a folder of its own, started again and again, ended with the test. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { FilesystemStore } from '../store/filesystem'
import { newKeyPem, seedAccounts, TestClient } from './fixture'
import { type RegistryProcess, spawnRegistry, writeKey } from './process'

export interface Killable {
  database: TestDatabase
  /** Folder of the process; the store's is `registry` in it. */
  data: string
  store: FilesystemStore
  start(): Promise<{ registry: RegistryProcess; client: TestClient }>
}

/** Filled before the first test of the file that calls it. */
export function killable(): Killable {
  const pem = newKeyPem()
  let running: RegistryProcess | undefined
  const world = {
    async start() {
      running = await spawnRegistry({ databaseUrl: world.database.url, data: world.data })
      return { registry: running, client: new TestClient(running.base, pem) }
    },
  } as Killable
  beforeAll(async () => {
    world.database = await createTestDatabase()
    await seedAccounts(world.database.db)
    world.data = await mkdtemp(path.join(tmpdir(), 'slipway-kill-'))
    await writeKey(world.data, pem)
    world.store = new FilesystemStore(path.join(world.data, 'registry'))
  })
  afterEach(() => running?.end('SIGKILL'))
  afterAll(async () => {
    await world.database.drop()
    await rm(world.data, { recursive: true, force: true })
  })
  return world
}
