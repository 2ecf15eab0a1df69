import { expect, it } from 'vitest'
import { effectiveRole, highestRole, may, PERMISSIONS, ROLES } from './access'

it('is exactly this table', () => {
  expect(
    Object.fromEntries(PERMISSIONS.map((permission) => [permission, ROLES.filter((role) => may(role, permission)).join(' ')])),
  ).toEqual({
    read: 'owner admin developer guest',
    change: 'owner admin developer',
    'read secrets': 'owner admin developer',
    'manage access': 'owner admin',
    'manage members': 'owner admin',
    'make owners': 'owner',
    'manage registry': 'owner admin',
    'run hosts': 'owner admin',
    pull: 'owner admin developer guest',
    push: 'owner admin developer',
    delete: 'owner admin developer',
  })
  expect(PERMISSIONS.filter((permission) => may(null, permission))).toEqual([])
})

it('takes the highest role that somebody holds, and opens nothing else', () => {
  expect(highestRole('guest', null, 'developer')).toBe('developer')
  expect(highestRole(null, undefined)).toBeNull()
  const nothing = { member: null, granted: null, visibility: null }
  expect(effectiveRole(nothing, true)).toBeNull()
  expect(effectiveRole({ ...nothing, visibility: 'private' }, true)).toBeNull()
  expect(effectiveRole({ ...nothing, visibility: 'internal' }, false)).toBeNull()
  expect(effectiveRole({ ...nothing, visibility: 'internal' }, true)).toBe('guest')
  expect(effectiveRole({ ...nothing, visibility: 'public' }, false)).toBe('guest')
  expect(effectiveRole({ member: 'guest', granted: 'developer', visibility: 'public' }, true)).toBe('developer')
  // A grant never lowers.
  expect(effectiveRole({ member: 'admin', granted: 'guest', visibility: 'private' }, true)).toBe('admin')
})
