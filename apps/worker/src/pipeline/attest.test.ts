import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAgent } from '@slipway/agent-client'
import { AppError } from '@slipway/core'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Deps } from '../deps'
import { attest } from './attest'

const registryKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const broken = createServer((_request, response) => response.writeHead(500).end())
let url: string
beforeAll(async () => {
  await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`
})
afterAll(() => void broken.close())

const wanted = {
  repository: 'slipway.local/acme/shop',
  digest: `sha256:${'a'.repeat(64)}`,
  sbomOf: 'slipway.local/acme/shop:build-1',
  provenance: () => ({}) as never,
}
const depsOf = () =>
  ({
    log: pino({ level: 'silent' }),
    agent: createAgent({ socketPath: '/nonexistent/agent.sock' }),
    env: { registryKey, SLIPWAY_REGISTRY_URL: url },
  }) as unknown as Deps

it('warns, and lets the build go on, when neither the engine nor the registry can do it', async () => {
  const said: string[] = []
  await attest(depsOf(), wanted, new AbortController().signal, (line) => void said.push(line))
  expect(said).toEqual([
    expect.stringMatching(/^warning: The image has no list of its packages: /),
    expect.stringMatching(/^warning: The image has no record of its origin: /),
  ])
})

it('makes nothing that is turned off', async () => {
  const said: string[] = []
  await attest(depsOf(), { ...wanted, sbomOf: null, provenance: null }, new AbortController().signal, (line) => void said.push(line))
  expect(said).toEqual([])
})

it('ends with a build that is canceled', async () => {
  const reason = new AppError({ kind: 'conflict', code: 'CANCELED', message: 'Canceled.' })
  await expect(attest(depsOf(), wanted, AbortSignal.abort(reason), () => undefined)).rejects.toBe(reason)
})
