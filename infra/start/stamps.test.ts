import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hashInputs, unlessUnchanged } from './stamps.mjs'

const root = mkdtempSync(join(tmpdir(), 'slipway-stamps-'))
const write = (name: string, text: string) => {
  mkdirSync(join(root, name, '..'), { recursive: true })
  writeFileSync(join(root, name), text)
}
beforeAll(() => write('src/a.ts', 'a'))
afterAll(() => rmSync(root, { recursive: true }))
const hash = () => hashInputs(root, ['src', 'missing'])

describe('hashInputs', () => {
  it('changes with content and names, not with tests, documentation and outputs', () => {
    const before = hash()
    write('src/a.test.ts', 'x')
    write('src/README.md', 'x')
    write('src/dist/out.js', 'x')
    write('src/node_modules/x/index.js', 'x')
    expect(hash()).toBe(before)
    write('src/b.ts', '')
    const withFile = hash()
    expect(withFile).not.toBe(before)
    write('src/a.ts', 'A')
    expect(hash()).not.toBe(withFile)
  })
})

describe('unlessUnchanged', () => {
  it('works once per change, and again when the output is gone or the work failed', async () => {
    const output = join(root, 'out/file')
    const stamp = join(root, 'out/.stamp')
    let runs = 0
    const build = (inputs: string, fail = false) =>
      unlessUnchanged({
        output,
        stamp,
        hash: inputs,
        work: async () => {
          runs += 1
          if (fail) throw new Error('no')
          write('out/file', inputs)
        },
      })
    expect(await build('1')).toBe('built')
    expect(await build('1')).toBe('unchanged')
    await expect(build('2', true)).rejects.toThrow('no')
    expect(await build('2')).toBe('built')
    rmSync(output)
    expect(await build('2')).toBe('built')
    expect(runs).toBe(4)
  })
})
