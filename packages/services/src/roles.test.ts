import { expect, it } from 'vitest'
import { assertMay, mayIn } from './roles'

const scope = { organizationId: 'org', organization: 'acme', role: 'guest' as const, actor: { userId: 'u', label: 'U', ip: null } }

it('says who could do it', () => {
  expect(() => assertMay(scope, 'change')).toThrow(expect.objectContaining({ code: 'ROLE_TOO_LOW', status: 403 }))
  expect(() => assertMay(scope, 'read')).not.toThrow()
})

it('keeps what is of the whole organization from a role on one repository', () => {
  const granted = { ...scope, role: 'admin' as const, within: { repository: 'api' } }
  expect([mayIn(granted, 'change'), mayIn(granted, 'manage access')]).toEqual([true, true])
  expect([mayIn(granted, 'manage members'), mayIn(granted, 'manage registry'), mayIn(granted, 'run hosts')]).toEqual([false, false, false])
})
