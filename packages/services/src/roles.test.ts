import type { views } from '@slipway/contracts'
import { expect, it } from 'vitest'
import { assertMay, may, PERMISSIONS } from './roles'

const ROLES: views.Role[] = ['owner', 'admin', 'developer', 'guest']

it('is exactly this table', () => {
  const table = Object.fromEntries(PERMISSIONS.map((permission) => [permission, ROLES.filter((role) => may(role, permission))]))
  expect(table).toEqual({
    read: ROLES,
    change: ['owner', 'admin', 'developer'],
    'read secrets': ['owner', 'admin', 'developer'],
    'manage members': ['owner', 'admin'],
    'make owners': ['owner'],
    'manage registry': ['owner', 'admin'],
    'run hosts': ['owner', 'admin'],
  })
})

it('says who could do it', () => {
  const scope = { organizationId: 'org', organization: 'acme', role: 'guest' as const, actor: { userId: 'u', label: 'U', ip: null } }
  expect(() => assertMay(scope, 'change')).toThrow(expect.objectContaining({ code: 'ROLE_TOO_LOW', status: 403 }))
  expect(() => assertMay(scope, 'read')).not.toThrow()
})
