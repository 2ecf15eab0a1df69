import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

const dir = mkdtempSync(join(tmpdir(), 'build-cache-'))
const record = {
  id: 'a'.repeat(64),
  scope: 'x',
  kind: 'layer',
  text: 'RUN npm ci',
  app: 'slipway.local/acme/shop',
  bytes: 5_000_000,
  createdAt: 1_795_000_000_000,
  lastUsedAt: 1_795_000_100_000,
  uses: 3,
  inUse: false,
  keptBy: [],
}
const asked: { path: string; body: Record<string, unknown> | null }[] = []
/** Stands for the agent of a host. */
const agent = createServer(async (request, answer) => {
  let body = ''
  for await (const chunk of request) body += chunk
  asked.push({ path: request.url ?? '', body: body === '' ? null : JSON.parse(body) })
  const pruned = { records: [record], more: 0, entries: 1, bytes: record.bytes, reclaimed: 77 }
  const view = {
    policy: { maxBytes: 20 * 1024 ** 3, keepMs: 0, unusedMs: 60 * 86_400_000 },
    disk: { total: 3, free: 2, reserve: 1 },
    scopes: [{ scope: 'x', layers: 1, mounts: 0, bytes: record.bytes }],
    records: [record],
    more: 4,
  }
  answer.setHeader('content-type', 'application/json').end(JSON.stringify(body === '' ? view : pruned))
})

let h: Harness
let scope: Scope
let guest: Scope
beforeAll(async () => {
  await new Promise<void>((resolve) => agent.listen(join(dir, 's'), resolve))
  h = await createHarness({ agentSocket: join(dir, 's') })
  scope = await h.organization('Ada', 'acme')
  const gil = await h.user('Gil')
  await h.join(gil.userId, 'acme', 'guest')
  guest = await h.scope(gil, 'acme')
})
afterAll(async () => {
  agent.close()
  rmSync(dir, { recursive: true })
  await h.close()
})

it('asks for the own organization only, and for what its own images keep', async () => {
  const view = await h.services.buildCache.get(scope)
  expect(view).toMatchObject({ bytes: 5_000_000, layers: 1, mounts: 0, unusedDays: 60, more: 4 })
  expect(view.entries[0]).toMatchObject({ text: 'RUN npm ci', repository: 'acme/shop', uses: 3, lastUsedAt: new Date(1_795_000_100_000) })
  const query = new URLSearchParams(asked.at(-1)?.path.split('?')[1])
  expect(Object.fromEntries(query)).toEqual({ scope: scope.organizationId, images: 'slipway.local/acme/' })
})

it('previews without removing, clears what was asked for, and writes it down', async () => {
  const preview = await h.services.buildCache.preview(guest, { unusedDays: 7 })
  expect(preview).toMatchObject({ count: 1, bytes: 5_000_000 })
  const mine = { scope: scope.organizationId, images: 'slipway.local/acme/' }
  expect(asked.at(-1)?.body).toEqual({ ...mine, unusedForMs: 7 * 86_400_000, dryRun: true })
  const before = asked.length
  await expect(h.services.buildCache.clear(guest, {})).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
  expect(asked).toHaveLength(before)
  // What came free on the whole host is not told: other organizations had a part in it.
  expect(await h.services.buildCache.clear(scope, { kind: 'mount' })).toEqual({ ...preview })
  expect(asked.at(-1)?.body).toEqual({ ...mine, unusedForMs: 0, kind: 'mount', dryRun: false })
  const [entry] = (await h.services.activity.list(scope, { limit: 5 })).items
  expect(entry).toMatchObject({ action: 'build-cache.clear', targetLabel: 'cache mounts' })
})
