/** `slipway registry` against a panel; the registry's part of `verify` is done by hand (its own is tested in apps/registry). */
import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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

it('changes the key that signs, and shows both', async () => {
  expect(await slipway('registry keys')).toMatchObject({ code: EXIT.unreachable, err: expect.stringContaining('signing key') })
  const { privateKey } = generateKeyPairSync('ed25519')
  await writeFile(join(api.harness.secretsDir, 'registry-token.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const before = await slipway('registry keys')
  expect(before.out).toMatch(/^[\w-]{43} {2}signs since \d{4}-\d\d-\d\d \d\d:\d\d UTC\n$/)
  const kid = before.out.slice(0, 43)
  const changed = await slipway('registry rotate-keys')
  expect(changed).toMatchObject({ code: EXIT.ok, out: expect.stringContaining('Another key signs now') })
  expect((await slipway('registry keys')).out).toMatch(
    new RegExp(`^(?!${kid})[\\w-]{43} {2}signs .*\\n${kid} {2}retired .*, taken until .*\\n$`),
  )
  const { keys } = JSON.parse((await slipway('registry keys --json')).out)
  expect(keys.map(({ kid: id, signs }: { kid: string; signs: boolean }) => [id === kid, signs])).toEqual([
    [false, true],
    [true, false],
  ])
})
