import { describe, expect, it } from 'vitest'
import { checkHost, completePath, findProgram } from './checks.mjs'
import { isInstalled } from './dependencies.mjs'
import { ensurePackages, isDebianLike, missingPackages } from './system-packages.mjs'
import { findUser } from './users.mjs'

describe('the host', () => {
  const host = { version: 'v20.9.0', uid: 0, platform: 'linux' }
  it.each([
    [{ version: 'v18.20.0' }, /Node\.js 20\.9 or newer; this is v18/],
    [{ version: 'v20.8.1' }, /Node\.js/],
    [{ uid: 1000 }, /needs root/],
    [{ platform: 'darwin' }, /needs Linux/],
  ])('is refused for %j', (change, message) => {
    expect(() => checkHost({ ...host, ...change })).toThrow(message)
  })
  it('is taken from 20.9 on', () => {
    expect(() => checkHost(host)).not.toThrow()
    expect(() => checkHost({ ...host, version: 'v22.0.0' })).not.toThrow()
  })
})

describe('system packages', () => {
  it('knows Debian and its children', () => {
    expect(isDebianLike('ID=debian\n')).toBe(true)
    expect(isDebianLike('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n')).toBe(true)
    expect(isDebianLike('ID="linuxmint"\nID_LIKE="ubuntu debian"\n')).toBe(true)
    expect(isDebianLike('ID=fedora\nNAME="not debian"\n')).toBe(false)
  })
  it('asks for nothing that is there, and names what is missing', async () => {
    const packages = [
      { needs: 'sh', package: 'dash' },
      { needs: '/etc/passwd', package: 'base-passwd' },
      { needs: 'slipway-no-such-program', package: 'nothing' },
    ]
    expect(missingPackages(packages as never).map((entry: { package: string }) => entry.package)).toEqual(['nothing'])
    const ensure = ensurePackages(packages as never, { detail: () => undefined }, { install: false })
    await expect(ensure).rejects.toMatchObject({
      message: expect.stringContaining('slipway-no-such-program'),
      hint: expect.stringContaining('apt-get install'),
    })
  })
  it('finds programs where services do not look', () => {
    const env: Record<string, string | undefined> = { PATH: '/nowhere' }
    completePath(env)
    expect(findProgram('sh', env.PATH)).toBe('/usr/bin/sh')
  })
  it('reads users', () => {
    expect(findUser('root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104::/:/bin/sh\n', 'postgres')).toEqual({ uid: 101, gid: 104 })
    expect(findUser('postgresql:x:1:1::/:/bin/sh\n', 'postgres')).toBeUndefined()
  })
})

describe('isInstalled', () => {
  const lock = (packages: Record<string, object>) => ({ packages })
  it('compares versions, and leaves other platforms’ packages aside', () => {
    const wanted = lock({
      '': {},
      'node_modules/a': { version: '1.0.0' },
      'node_modules/@x/darwin': { version: '1.0.0', optional: true },
      'node_modules/@slipway/core': { link: true },
    })
    expect(
      isInstalled(wanted as never, lock({ 'node_modules/a': { version: '1.0.0' }, 'node_modules/@slipway/core': { link: true } }) as never),
    ).toBe(true)
    expect(
      isInstalled(wanted as never, lock({ 'node_modules/a': { version: '1.0.1' }, 'node_modules/@slipway/core': { link: true } }) as never),
    ).toBe(false)
    expect(isInstalled(wanted as never, lock({ 'node_modules/a': { version: '1.0.0' } }) as never)).toBe(false)
    expect(isInstalled(wanted as never, undefined)).toBe(false)
  })
})
