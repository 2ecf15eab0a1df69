import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TrustedProxies } from '@slipway/services'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeClientAddresses } from './client-address'

const server = createServer((request, response) => response.end(JSON.stringify(request.headers['x-forwarded-for'])))
let base = ''
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server.close())

const seen = async (forwarded?: string) =>
  (await fetch(base, forwarded === undefined ? {} : { headers: { 'x-forwarded-for': forwarded } })).json()

it('gives handlers one address, whatever the client sent', async () => {
  writeClientAddresses(new TrustedProxies('127.0.0.0/8,::1'))
  expect(await seen()).toBe('127.0.0.1')
  expect(await seen('203.0.113.7')).toBe('203.0.113.7')
  expect(await seen('6.6.6.6, 203.0.113.7')).toBe('203.0.113.7')
  expect(await seen('6.6.6.6, evil')).toBe('127.0.0.1')
})
