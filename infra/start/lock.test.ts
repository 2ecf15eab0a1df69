import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { takeLock } from './lock.mjs'
import { identify } from './proc.mjs'

const folder = mkdtempSync(join(tmpdir(), 'slipway-lock-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('lock', () => {
  it('is taken once, names its holder, and is free after release', () => {
    const file = join(folder, 'one')
    const release = takeLock(file)
    expect(() => takeLock(file)).toThrow(`as process ${process.pid}`)
    release()
    expect(existsSync(file)).toBe(false)
    takeLock(file)()
  })

  it('names another living process', () => {
    const file = join(folder, 'other')
    const child = spawn('sleep', ['30'])
    writeFileSync(file, JSON.stringify(identify(child.pid ?? 0)))
    expect(() => takeLock(file)).toThrow(`as process ${child.pid}`)
    child.kill('SIGKILL')
  })

  it.each([
    ['a process that ended', JSON.stringify({ pid: 2 ** 22 - 1, startTime: '1', boot: 'x' })],
    ['an earlier process with our number', JSON.stringify({ ...identify(process.pid), startTime: '1' })],
    ['a file cut short', '{"pid":'],
    ['an empty file', ''],
  ])('replaces the lock of %s', (_, content) => {
    const file = join(folder, 'stale')
    writeFileSync(file, content)
    const release = takeLock(file)
    expect(JSON.parse(readFileSync(file, 'utf8')).pid).toBe(process.pid)
    release()
  })
})
