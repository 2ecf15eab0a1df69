import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { routerConfig } from './config'
import { procAddress } from './drain'
import { type Route, routeFiles } from './routes'

const route = (hostname: string, ...upstreams: string[]): Route => ({ hostname, upstreams, appId: `app_${hostname}` })

describe('routeFiles', () => {
  it('lists the upstreams in the name of one file for each host', () => {
    const files = routeFiles([
      route('a.localhost', '10.0.0.2:80', '10.0.0.1:8080', '10.0.0.2:80'),
      route('b.localhost'),
      route('c.example.com', '[fd00::2]:80'),
    ])
    expect([...files]).toEqual([
      ['a.localhost', '10.0.0.1:8080,10.0.0.2:80'],
      ['b.localhost', null],
      ['c.example.com', '[fd00::2]:80'],
    ])
  })

  it.each([
    '',
    '..',
    'a/b',
    '../x',
    'A.localhost',
    'a..b',
    '-a.b',
    'a_b',
    'a b',
    '*.localhost',
    `${'a'.repeat(64)}.x`,
    'a.localhost.',
    'a\n',
  ])('refuses the host %j', (hostname) => {
    expect(() => routeFiles([route(hostname, '10.0.0.1:80')])).toThrowError(expect.objectContaining({ code: 'ROUTE_INVALID' }))
  })

  it.each([
    '',
    '10.0.0.1',
    '10.0.0.1:0',
    '10.0.0.1:70000',
    'host:80',
    '../x:80',
    '10.0.0.1:80,10.0.0.2:80',
    '10.0.0.1:80/x',
    '{env.HOME}:80',
    'fd00::1:80',
  ])('refuses the upstream %j', (upstream) => {
    expect(() => routeFiles([route('a.localhost', upstream)])).toThrowError(expect.objectContaining({ code: 'ROUTE_INVALID' }))
  })

  it('refuses one host for two apps, and more upstreams than the router takes', () => {
    expect(() => routeFiles([route('a.localhost'), { ...route('a.localhost'), appId: 'app_other' }])).toThrowError(
      expect.objectContaining({ code: 'ROUTE_CONFLICT' }),
    )
    expect(() => routeFiles([route('a.localhost', ...Array.from({ length: 9 }, (_, i) => `10.0.0.${i + 1}:80`))])).toThrowError(
      expect.objectContaining({ code: 'ROUTE_INVALID' }),
    )
  })
})

describe('routerConfig', () => {
  it('is as in testdata/router.json (UPDATE_GOLDENS=1 rewrites it)', () => {
    const config = routerConfig({
      adminSocket: '/var/lib/slipway/run/caddy-admin.sock',
      routesDirectory: '/var/lib/slipway/run/routes',
      port: 8080,
    })
    const text = `${JSON.stringify(config, null, 2)}\n`
    const path = fileURLToPath(new URL('../testdata/router.json', import.meta.url))
    if (process.env.UPDATE_GOLDENS === '1') writeFileSync(path, text)
    expect(text).toBe(readFileSync(path, 'utf8'))
  })
})

describe('procAddress', () => {
  it.each([
    ['127.0.0.1:80', '0100007F:0050'],
    ['10.1.2.3:8080', '0302010A:1F90'],
    ['[::1]:1', '00000000000000000000000001000000:0001'],
    ['[fd00:1::a:2]:443', '010000FD000000000000000002000A00:01BB'],
  ])('%s', (upstream, expected) => {
    expect(procAddress(upstream)).toBe(expected)
  })
})
