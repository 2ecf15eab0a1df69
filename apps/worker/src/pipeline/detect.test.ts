import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '@slipway/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeDockerfile } from './detect'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-detect-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const missing = new AppError({ kind: 'bad-input', code: 'DOCKERFILE_NOT_FOUND', message: 'The repository has no file Dockerfile.' })
const make = (say: (line: string) => void = () => undefined) => makeDockerfile(root, missing, say)

it('tells what was found and shows the whole file in the log', async () => {
  writeFileSync(join(root, 'index.html'), 'hello')
  const lines: string[] = []
  const { text } = await make((line) => lines.push(line))
  expect(lines[0]).toContain('found index.html')
  for (const line of text.trimEnd().split('\n')) expect(lines).toContain(`  ${line}`)
})

it('says what was looked for when nothing is recognized', async () => {
  writeFileSync(join(root, 'README.md'), '')
  await expect(make()).rejects.toMatchObject({ code: 'DOCKERFILE_NOT_FOUND', message: expect.stringContaining('package.json') })
})

it('a package.json of 10 MB is refused by its size', async () => {
  writeFileSync(join(root, 'package.json'), Buffer.alloc(10 * 1024 * 1024, ' '))
  await expect(make()).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' })
})

it('a manifest that is a link out of the repository is not read', async () => {
  symlinkSync('/etc/passwd', join(root, 'requirements.txt'))
  await expect(make()).rejects.toMatchObject({ code: 'PATH_OUTSIDE_REPOSITORY' })
})
