import { describe, expect, it } from 'vitest'
import { crumbsOf } from './crumbs'
import { parseImagePath, routes, safeNext } from './routes'

describe('image addresses', () => {
  it('are written as docker writes them and read back', () => {
    for (const [name, reference] of [
      ['guestbook', 'main'],
      ['team/api', '1.4.0'],
      ['guestbook', `sha256:${'a'.repeat(64)}`],
    ] as const) {
      const path = routes.image('acme', name, reference).split('/').slice(3)
      expect(parseImagePath(path)).toEqual({ name, reference, tab: null })
    }
    expect(parseImagePath(['team', 'api'])).toEqual({ name: 'team/api', reference: null, tab: null })
    expect(parseImagePath(['team', 'api', '-', 'policies'])).toEqual({ name: 'team/api', reference: null, tab: 'policies' })
    expect(parseImagePath(['api:1.4', '-', 'files'])).toEqual({ name: 'api', reference: '1.4', tab: 'files' })
    expect(parseImagePath(['guestbook%3Amain'])).toEqual({ name: 'guestbook', reference: 'main', tab: null })
  })
})

it('follows only addresses of this site after signing in', () => {
  expect(safeNext('/acme/apps?x=1')).toBe('/acme/apps?x=1')
  for (const bad of [null, '', 'https://evil.example', '//evil.example', '/\\evil.example', 'javascript:alert(1)', '/login?next=/login'])
    expect(safeNext(bad)).toBe('/')
})

it('reads the path in the bar from the address', () => {
  const labels = (path: string) => crumbsOf(path, 'Acme').map((c) => c.label)
  expect(labels('/acme')).toEqual(['Acme', 'Overview'])
  expect(labels('/acme/apps/new')).toEqual(['Acme', 'Apps', 'New app'])
  expect(labels('/acme/apps/guestbook/builds/12')).toEqual(['Acme', 'Apps', 'guestbook', 'Build #12'])
  expect(labels('/acme/apps/guestbook/settings')).toEqual(['Acme', 'Apps', 'guestbook', 'Settings'])
  expect(labels('/acme/images/team/api:1.4.0')).toEqual(['Acme', 'Images', 'team/api', '1.4.0'])
  expect(labels('/acme/settings/members')).toEqual(['Acme', 'Settings', 'Members'])
  expect(labels('/account')).toEqual(['Acme', 'Account'])
})
