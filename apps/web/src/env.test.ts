import { afterEach, beforeEach, expect, it, vi } from 'vitest'

const complete = {
  DATABASE_URL: 'postgresql://u:hunter2@localhost/db',
  REDIS_URL: 'unix:///run/redis.sock',
  SLIPWAY_SECRETS: '/s',
  SLIPWAY_DATA: '/d',
  SLIPWAY_WEB_URL: 'http://localhost:3000/',
  SLIPWAY_AGENT_SOCKET: '/a.sock',
  SLIPWAY_REGISTRY_URL: 'http://127.0.0.1:5000',
  SLIPWAY_REGISTRY_PORT: '5000',
  SLIPWAY_ROUTER_PORT: '8080',
  SLIPWAY_CADDY_ADMIN: '/c.sock',
  SLIPWAY_VERSION: '0.1.0',
}

beforeEach(() => {
  vi.resetModules()
  for (const [name, value] of Object.entries(complete)) vi.stubEnv(name, value)
})
afterEach(() => vi.unstubAllEnvs())

it('reads the settings, with an empty one as not set', async () => {
  vi.stubEnv('SLIPWAY_BASE_DOMAIN', '')
  const { env } = await import('./env')
  expect(env()).toMatchObject({ SLIPWAY_WEB_URL: 'http://localhost:3000', SLIPWAY_REGISTRY_PORT: 5000, SLIPWAY_BASE_DOMAIN: 'localhost' })
})

it('names what is wrong and shows no value', async () => {
  vi.stubEnv('SLIPWAY_SECRETS', '')
  vi.stubEnv('DATABASE_URL', 'mysql://u:hunter2@localhost/db')
  const { env } = await import('./env')
  expect(() => env()).toThrow(/SLIPWAY_SECRETS/)
  expect(() => env()).toThrow(/DATABASE_URL: must start with postgresql/)
  expect(() => env()).not.toThrow(/hunter2/)
})

it('wants both settings of the first account or neither', async () => {
  vi.stubEnv('SLIPWAY_ADMIN_EMAIL', 'a@example.com')
  const { env } = await import('./env')
  expect(() => env()).toThrow(/go together/)
})
