import type { BuildPlan } from '@slipway/contracts'
import { expect, it } from 'vitest'
import { withoutTrust } from './fork'

const of = (op: Record<string, unknown>) => ({
  file: 'Dockerfile',
  plan: {
    vertices: [{ line: 3, op: { type: 'exec', input: 'v0', args: [], env: [], cwd: '/', user: '', ...op } }],
  } as unknown as BuildPlan,
})

it('tells each step what it does not get', () => {
  const mounts = [
    { type: 'secret', id: 'NPM_TOKEN', required: false },
    { type: 'ssh', id: 'default', required: false },
  ]
  expect(withoutTrust(of({ mounts })).slice(1)).toEqual([
    'Dockerfile:3 gets no secret “NPM_TOKEN”: the pull request comes from a fork.',
    'Dockerfile:3 gets no SSH agent “default”: the pull request comes from a fork.',
  ])
})

it.each([{ insecure: true }, { network: 'host' }])('refuses a step that asks for the host: %o', (op) => {
  expect(() => withoutTrust(of(op))).toThrow(
    expect.objectContaining({ code: 'FORK_NOT_TRUSTED', details: { file: 'Dockerfile', line: 3 } }),
  )
})
it('takes one without any network', () => {
  expect(withoutTrust(of({ network: 'none' }))).toHaveLength(1)
})
