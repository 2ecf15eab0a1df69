import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readMasterKey } from './master-key'
import { createSealer, type SealedFor } from './seal'

const owner: SealedFor = { kind: 'variable', organizationId: 'org_a', id: 'var_1' }
const sealer = createSealer(new Uint8Array(32).fill(7))

it('opens what it sealed, and never seals twice to the same bytes', () => {
  const sealed = sealer.seal('pässword\0', owner)
  expect(sealer.open(sealed, owner)).toBe('pässword\0')
  expect(Buffer.from(sealed).includes('pässword')).toBe(false)
  expect(Buffer.from(sealer.seal('x', owner))).not.toEqual(Buffer.from(sealer.seal('x', owner)))
  expect(sealer.open(sealer.seal('', owner), owner)).toBe('')
})

it('fails closed at every changed byte', () => {
  const sealed = sealer.seal('secret', owner)
  for (let i = 0; i < sealed.length; i++) {
    const changed = Uint8Array.from(sealed)
    changed[i] = (changed[i] ?? 0) ^ 1
    expect(() => sealer.open(changed, owner)).toThrow(expect.objectContaining({ code: 'SECRET_UNREADABLE' }))
  }
  for (const length of [0, 1, 28, sealed.length - 1]) expect(() => sealer.open(sealed.subarray(0, length), owner)).toThrow()
})

it('does not open in another row, organization, column or installation', () => {
  const sealed = sealer.seal('secret', owner)
  const others: SealedFor[] = [
    { ...owner, id: 'var_2' },
    { ...owner, organizationId: 'org_b' },
    { ...owner, kind: 'gitToken' },
  ]
  for (const other of others) expect(() => sealer.open(sealed, other)).toThrow()
  expect(() => createSealer(new Uint8Array(32).fill(8)).open(sealed, owner)).toThrow()
})

it('derives keys that differ by purpose and tell nothing of the master key', () => {
  expect(sealer.derive('a')).toBe(sealer.derive('a'))
  expect(sealer.derive('a')).not.toBe(sealer.derive('b'))
})

it('takes a master key only when it is 32 bytes that nobody else can read', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'slipway-key-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  expect(() => readMasterKey(dir)).toThrow(expect.objectContaining({ code: 'MASTER_KEY_UNREADABLE' }))
  const file = path.join(dir, 'master.key')
  writeFileSync(file, new Uint8Array(31), { mode: 0o600 })
  expect(() => readMasterKey(dir)).toThrow()
  writeFileSync(file, new Uint8Array(32))
  chmodSync(file, 0o644)
  expect(() => readMasterKey(dir)).toThrow()
  chmodSync(file, 0o600)
  expect(readMasterKey(dir)).toHaveLength(32)
})
