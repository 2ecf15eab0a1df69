/** `slipway registry verify` against a panel; the registry's part of it is done by hand (its own is tested in apps/registry). */

import { startTestApi, type TestApi } from '@slipway/api/testing'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { EXIT } from './errors'
import { runSlipway } from './testing/terminal'

let api: TestApi
let key: string
beforeAll(async () => {
  api = await startTestApi()
  const { userId } = await api.harness.user('Ada', 'acme')
  key = (await api.harness.services.apiKeys.create({ userId, label: 'Ada', ip: null }, { name: 'cli' })).key
})
afterAll(() => api?.close())

const slipway = (line: string) =>
  runSlipway(line.split(' '), { env: { XDG_CONFIG_HOME: '/nonexistent', SLIPWAY_URL: api.url, SLIPWAY_API_KEY: key } })

interface Problem {
  kind: string
  subject: string
  text: string
  repaired: boolean
}

/** What a registry's process does with the one that waits. */
async function registry(problems: Problem[]) {
  const { storeVerification } = api.harness.db
  const row = await vi.waitFor(() => storeVerification.findFirstOrThrow({ where: { state: 'queued' } }), { timeout: 10_000 })
  const repaired = problems.filter((problem) => problem.repaired).length
  const found = { problems: problems.map((problem) => ({ ...problem })), found: problems.length, repaired }
  const data = { state: 'done' as const, phase: 'files', blobs: 3, bytes: 2048n, files: 3, manifests: 1, finishedAt: new Date(), ...found }
  await storeVerification.update({ where: { id: row.id }, data })
  return row
}

it('waits for the end, says what was found, and ends with it', async () => {
  const sound = await Promise.all([slipway('registry verify --repair --rate 50'), registry([])])
  expect(sound[0]).toMatchObject({ code: EXIT.ok, out: expect.stringContaining('Everything is as it was pushed') })
  expect(sound[1]).toMatchObject({ repair: true, bytesPerSecond: 50n * 1024n * 1024n })
  const problem = { kind: 'blob-damaged', subject: 'sha256:\u001b[31mabc', text: 'Its bytes have another digest.', repaired: false }
  const [bad] = await Promise.all([slipway('registry verify'), registry([problem])])
  expect(bad.code).toBe(EXIT.failed)
  expect(bad.out).toContain('blob-damaged  sha256:abc')
  expect(bad.err).toContain('1 problem is left')
  expect((await slipway('registry verify --rate fast')).code).toBe(EXIT.usage)
})
