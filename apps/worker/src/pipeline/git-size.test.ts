import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { limitBytes } from './git-size'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-git-size-'))
  mkdirSync(join(directory, 'tree/deep'), { recursive: true })
})
afterAll(() => rmSync(directory, { recursive: true }))

it('ends what writes more than it may, whatever the folder, and what is canceled', async () => {
  const own = new AbortController()
  const limited = limitBytes(directory, 1000, own.signal)
  writeFileSync(join(directory, 'a'), 'x'.repeat(600))
  await new Promise((resolve) => setTimeout(resolve, 1300))
  expect(limited.signal.aborted).toBe(false)
  writeFileSync(join(directory, 'tree/deep/b'), 'x'.repeat(600))
  await new Promise((resolve) => limited.signal.addEventListener('abort', resolve))
  expect(limited.signal.reason).toMatchObject({ code: 'CONTEXT_TOO_LARGE' })
  limited.end()
  const other = limitBytes(directory, 1e9, own.signal)
  own.abort('canceled')
  expect(other.signal.reason).toBe('canceled')
  other.end()
})
