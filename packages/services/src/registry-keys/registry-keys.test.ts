import { generateKeyPairSync } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let operator: Scope
let other: Scope
let file: string
beforeAll(async () => {
  h = await createHarness()
  operator = await h.organization('Ada', 'acme')
  other = await h.organization('Eve', 'rival')
  file = path.join(h.secretsDir, 'registry-token.pem')
  await writeFile(file, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
})
afterAll(() => h.close())

it('another key signs, the one before is still taken, and who did it is in the audit log', async () => {
  const { registryKeys } = h.services
  const before = await registryKeys.list(operator)
  expect(before.keys).toMatchObject([{ signs: true, until: null }])
  const pem = await readFile(file, 'utf8')
  const after = await registryKeys.rotate(operator)
  expect(after.keys.map(({ kid, signs }) => [kid === before.keys[0]?.kid, signs])).toEqual([
    [false, true],
    [true, false],
  ])
  // Longer than any token lasts.
  expect(after.keys[1]?.until?.getTime()).toBeGreaterThan(Date.now() + 60 * 60_000)
  expect(await registryKeys.list(operator)).toEqual(after)
  expect(await readFile(file, 'utf8')).not.toBe(pem)
  const event = await h.db.auditEvent.findFirstOrThrow({ where: { action: 'registry.rotateKeys' } })
  expect(event).toMatchObject({
    organizationId: operator.organizationId,
    actorLabel: operator.actor.label,
    data: { kid: after.keys[0]?.kid },
  })
  expect(JSON.stringify([event, after])).not.toContain('PRIVATE')
})

it('is for those who run the installation', async () => {
  const { registryKeys } = h.services
  const guest = await h.user('Gus')
  await h.join(guest.userId, 'acme', 'guest')
  const dev = await h.user('Dan')
  await h.join(dev.userId, 'acme', 'developer')
  const pem = await readFile(file, 'utf8')
  for (const scope of [other, await h.scope(guest, 'acme'), await h.scope(dev, 'acme')]) {
    const forbidden = expect.objectContaining({ kind: 'forbidden' })
    await expect(registryKeys.list(scope)).rejects.toThrow(forbidden)
    await expect(registryKeys.rotate(scope)).rejects.toThrow(forbidden)
  }
  expect(await readFile(file, 'utf8')).toBe(pem)
})

it('says what to do when the key cannot be read, and names no path', async () => {
  await rm(file)
  for (const attempt of [h.services.registryKeys.list(operator), h.services.registryKeys.rotate(operator)]) {
    const error = await attempt.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'SIGNING_KEY_UNUSABLE',
      kind: 'unavailable',
      message: expect.stringContaining('folder of secrets'),
    })
    expect((error as Error).message).not.toContain(h.secretsDir)
  }
})
