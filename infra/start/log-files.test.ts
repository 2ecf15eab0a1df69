import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { bound, rotate, tail } from './log-files.mjs'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-logs-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('keeps the last three starts', () => {
  const file = join(folder, 'web.log')
  for (const text of ['1', '2', '3', '4', '5']) {
    rotate(file)
    writeFileSync(file, text)
  }
  expect([file, `${file}.1`, `${file}.2`, `${file}.3`].map((name) => readFileSync(name, 'utf8'))).toEqual(['5', '4', '3', '2'])
  expect(existsSync(`${file}.4`)).toBe(false)
})

it('cuts a log that grew too large, and the writer goes on in it', () => {
  const file = join(folder, 'web.log')
  appendFileSync(file, 'x'.repeat(100))
  bound(file, 50)
  expect(statSync(file).size).toBe(0)
  expect(readFileSync(`${file}.1`, 'utf8')).toHaveLength(100)
  appendFileSync(file, 'new')
  bound(file, 50)
  expect(readFileSync(file, 'utf8')).toBe('new')
})

it('shows the last lines', () => {
  const file = join(folder, 'web.log')
  writeFileSync(file, `${Array.from({ length: 100 }, (_, index) => `line ${index}`).join('\n')}\n`)
  expect(tail(file, 2)).toBe('line 98\nline 99')
  expect(tail(join(folder, 'missing.log'))).toBe('')
})
