import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '@slipway/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeDockerfile } from './detect'
import { readTree } from './tree'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-detect-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const missing = new AppError({ kind: 'bad-input', code: 'DOCKERFILE_NOT_FOUND', message: 'The repository has no file Dockerfile.' })
const make = (say: (line: string) => void = () => undefined) => makeDockerfile(root, missing, new AbortController().signal, say)

it('tells what was found', async () => {
  writeFileSync(join(root, 'index.html'), 'hello')
  const lines: string[] = []
  await make((line) => lines.push(line))
  expect(lines[0]).toContain('static files (index.html is the first page)')
})

it('says what was looked for when nothing is recognized', async () => {
  writeFileSync(join(root, 'README.md'), '')
  await expect(make()).rejects.toMatchObject({ code: 'DOCKERFILE_NOT_FOUND', message: expect.stringContaining('package.json') })
})

it('a package.json of 10 MB is refused by its size', async () => {
  writeFileSync(join(root, 'package.json'), Buffer.alloc(10 * 1024 * 1024, ' '))
  await expect(make()).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' })
})

it('a manifest that is a link out of the repository is not there', async () => {
  symlinkSync('/etc/passwd', join(root, 'requirements.txt'))
  await expect(make()).rejects.toMatchObject({ code: 'DOCKERFILE_NOT_FOUND', message: expect.stringContaining('found none') })
})

it('a manifest that is a link inside of the repository is read', async () => {
  mkdirSync(join(root, 'site'))
  writeFileSync(join(root, 'site/package.json'), '{"scripts":{"start":"node x.js"}}')
  symlinkSync('site/package.json', join(root, 'package.json'))
  expect((await make()).stack).toContain('server')
})

it('looks no further than its limits, and not into what others wrote', async () => {
  mkdirSync(join(root, 'a/b/c/d/e/f/g'), { recursive: true })
  writeFileSync(join(root, 'a/b/c/d/e/f/g/index.html'), '')
  mkdirSync(join(root, 'node_modules/x'), { recursive: true })
  writeFileSync(join(root, 'node_modules/x/package.json'), '{}')
  writeFileSync(join(root, 'yarn.lock'), 'x'.repeat(1_000_000))
  const tree = await readTree(root, new AbortController().signal)
  expect([...tree.files]).toEqual(['yarn.lock'])
  expect(tree.texts.get('yarn.lock')).toHaveLength(4096)
})
