import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readExample } from './examples'

const data = mkdtempSync(path.join(tmpdir(), 'slipway-examples-'))
const bare = path.join(data, 'examples', 'hello.git')

beforeAll(() => {
  mkdirSync(path.join(data, 'secrets'))
  writeFileSync(path.join(data, 'secrets', 'HEAD'), 'secret')
  execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', bare])
  execFileSync('git', ['-C', bare, 'update-server-info'])
  symlinkSync(path.join(data, 'secrets'), path.join(data, 'examples', 'link.git'))
  symlinkSync(path.join(data, 'secrets', 'HEAD'), path.join(bare, 'objects', 'info', 'packs-link'))
})
afterAll(() => rmSync(data, { recursive: true }))

it('serves what Git asks for', async () => {
  expect((await readExample(data, ['hello.git', 'HEAD']))?.toString()).toBe('ref: refs/heads/main\n')
  expect(await readExample(data, ['hello.git', 'info', 'refs'])).not.toBeNull()
})

it.each([
  [['hello.git', 'config']],
  [['hello.git', '..', '..', 'secrets', 'HEAD']],
  [['..', 'secrets', 'HEAD']],
  [['hello.git', '../../secrets/HEAD']],
  [['hello.git', 'objects', 'info', 'packs-link']],
  [['hello.git', 'objects', '00', '0'.repeat(38)]],
  [['hello.git']],
  [[]],
  [['hello.git', 'HEAD\0']],
])('answers nothing to %j', async (segments) => {
  expect(await readExample(data, segments)).toBeNull()
})
