import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { depthOf, Places } from './places'

const table: Record<string, string> = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../contracts/fixtures/addresses/depth.json'), 'utf8'),
)

describe('where an address lies', () => {
  it.each(Object.entries(table))('%s is %s', (address, depth) => {
    expect(depthOf(address)).toBe(depth === 'private' || depth === 'machine' ? 'inside' : depth)
  })

  it.each(['fe80::1%eth0', '::1%lo', 'localhost', '', '127.1', '010.0.0.1'])('takes %j for no address', (address) => {
    expect(depthOf(address)).toBe('never')
  })

  it.each<[string[], string, string, boolean]>([
    [[], 'a.example', '93.184.216.34', true],
    [[], 'a.example', '10.0.0.1', false],
    [['10.0.0.0/8'], 'a.example', '10.0.0.1', true],
    [['10.0.0.0/8'], 'a.example', '::ffff:10.1.1.1', true],
    [['10.0.0.0/8'], 'a.example', '127.0.0.1', false],
    [['fd00::/8'], 'a.example', 'fd12::1', true],
    [['::/0'], 'a.example', 'fe80::1', false],
    [['Files.lan.'], 'files.lan', '192.168.0.4', true],
    [['files.lan'], 'other.lan', '192.168.0.4', false],
    [['0.0.0.0/0', 'files.lan'], 'files.lan', '169.254.169.254', false],
  ])('%j lets %s at %s: %s', (places, name, address, allowed) => {
    expect(new Places(places).allows(name, address)).toBe(allowed)
  })

  it.each(['', '10.0.0.0/33', '10.0.0.0/x', 'http://10.0.0.1', '10.0.0.1:443', 'a b', 'storage/8'])('refuses the setting %j', (text) => {
    expect(() => new Places([text])).toThrow('downloadInside')
  })
})
