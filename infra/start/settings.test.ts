import { describe, expect, it } from 'vitest'
import { bucketCredentials, partEnvironment, readSettings } from './settings.mjs'

describe('settings', () => {
  it('has defaults for everything', () => {
    const settings = readSettings({})
    expect(settings.data).toBe('/var/lib/slipway')
    expect(settings.ports).toEqual({ web: 3000, registry: 5000, router: 8080, postgres: 0 })
    expect(settings.webUrl).toBe('http://localhost:3000')
    expect(settings.registryUrl).toBe('http://127.0.0.1:5000')
    expect(settings.install).toBe(true)
    expect(settings.downloadInside).toEqual([])
    expect(readSettings({ SLIPWAY_DOWNLOAD_INSIDE: ' 10.0.0.0/8, git.lan ' }).downloadInside).toEqual(['10.0.0.0/8', 'git.lan'])
  })

  it.each([
    [{ SLIPWAY_WEB_PORT: 'eighty' }, /SLIPWAY_WEB_PORT is “eighty”/],
    [{ SLIPWAY_WEB_PORT: '70000' }, /SLIPWAY_WEB_PORT/],
    [{ SLIPWAY_WEB_PORT: '0' }, /SLIPWAY_WEB_PORT/],
    [{ SLIPWAY_WEB_PORT: '5000' }, /both 5000/],
    [{ SLIPWAY_ADMIN_EMAIL: 'a@b.c' }, /go together/],
    [{ DATABASE_URL: 'mysql://root:hunter2@h/db' }, /DATABASE_URL is not a URL/],
    [{ SLIPWAY_DATA: `/${'x'.repeat(90)}` }, /too long/],
  ])('refuses %j and names the setting', (env, message) => {
    expect(() => readSettings(env)).toThrow(message)
  })

  it('never repeats a password from a URL', () => {
    const error = (() => {
      try {
        readSettings({ REDIS_URL: 'http://:hunter2@h' })
      } catch (caught) {
        return JSON.stringify([(caught as Error).message, (caught as { hint?: string }).hint])
      }
    })()
    expect(error).toContain('REDIS_URL')
    expect(error).not.toContain('hunter2')
  })

  it('gives the parts what they need and nothing of the shell around', () => {
    const env = partEnvironment(
      readSettings({ SLIPWAY_DATA: '/d' }),
      { databaseUrl: 'postgresql://x', redisUrl: 'unix:///r' },
      { PATH: '/bin', AWS_SECRET_ACCESS_KEY: 'no', HTTPS_PROXY: 'http://proxy', SLIPWAY_BUILD_CONCURRENCY: '4', NODE_OPTIONS: '--inspect' },
    )
    expect(env).toMatchObject({
      PATH: '/bin',
      HTTPS_PROXY: 'http://proxy',
      NODE_ENV: 'production',
      SLIPWAY_BUILD_CONCURRENCY: '4',
      SLIPWAY_SECRETS: '/d/secrets',
      SLIPWAY_AGENT_SOCKET: '/d/run/agent.sock',
      DATABASE_URL: 'postgresql://x',
      REDIS_URL: 'unix:///r',
    })
    expect(Object.keys(env)).not.toContain('AWS_SECRET_ACCESS_KEY')
    expect(Object.keys(env)).not.toContain('NODE_OPTIONS')
  })

  it('gives the registry the credentials of its bucket, when it has one', () => {
    const env = { PATH: '/bin', AWS_SECRET_ACCESS_KEY: 'secret', AWS_PROFILE: 'images' }
    expect(bucketCredentials(env)).toEqual({})
    expect(bucketCredentials({ ...env, SLIPWAY_REGISTRY_STORE: 's3' })).toEqual({ AWS_SECRET_ACCESS_KEY: 'secret', AWS_PROFILE: 'images' })
  })
})
