import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { isZombie, pidsWithin } from '../proc.mjs'
import { previousGone } from './postgres.mjs'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-previous-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('waits for a killed server that nobody has taken note of yet, and for its children', async () => {
  await previousGone(folder)
  // `sleep` takes the shell's place before the child ends, and never asks after it.
  const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 1'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [printed] = (await once(parent.stdout, 'data')) as [Buffer]
  const zombie = Number(String(printed).trim().split('\n').at(-1))
  await expect.poll(() => isZombie(zombie)).toBe(true)
  writeFileSync(join(folder, 'postmaster.pid'), `${zombie}\n${folder}\n`)
  const child = spawn('sleep', ['1'], { cwd: folder })
  expect(pidsWithin(folder)).toEqual([child.pid])
  await previousGone(folder)
  expect(isZombie(zombie)).toBe(false)
  expect(pidsWithin(folder)).toEqual([])
})

it('does not wait for ever', async () => {
  const child = spawn('sleep', ['30'], { cwd: folder })
  writeFileSync(join(folder, 'postmaster.pid'), `${child.pid}\n`)
  await previousGone(folder, 100)
  expect(pidsWithin(folder)).toEqual([child.pid])
  child.kill('SIGKILL')
  await once(child, 'exit')
})
