import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readTree } from '@slipway/context'
import { keptDockerfile } from '@slipway/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dockerfileOf } from './dockerfile'
import { inspect } from './inspect'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-dockerfile-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const signal = new AbortController().signal
const kept = (when: 'missing' | 'always') =>
  keptDockerfile.parse({
    text: 'FROM kept\n',
    ignore: 'kept.txt\n',
    when,
    stack: ['Go 1.19'],
    evidence: [{ file: 'go.mod', fact: 'is there' }],
  })
const of = (more: object = {}) =>
  dockerfileOf(root, { directory: root, contextPath: '.', dockerfilePath: 'Dockerfile', kept: null, ...more }, signal, () => undefined)
const write = (path: string, text: string) => {
  mkdirSync(join(root, path, '..'), { recursive: true })
  writeFileSync(join(root, path), text)
}

describe('which Dockerfile is built', () => {
  it('the repository’s own, before one that is kept for when it has none', async () => {
    write('Dockerfile', 'FROM own\n')
    expect(await of({ kept: kept('missing') })).toMatchObject({ text: 'FROM own\n', origin: { kind: 'repository', evidence: [] } })
  })

  it('the kept one, where it is always to be used', async () => {
    write('Dockerfile', 'FROM own\n')
    expect(await of({ kept: kept('always') })).toMatchObject({ text: 'FROM kept\n', origin: { kind: 'kept', stack: ['Go 1.19'] } })
  })

  it('the kept one, where the repository has none, also under another name', async () => {
    write('index.html', 'x')
    const built = await of({ kept: kept('missing'), dockerfilePath: 'deploy/prod.Dockerfile' })
    expect(built.text).toBe('FROM kept\n')
    expect(built.ignore.ignores('kept.txt')).toBe(true)
  })

  it('one that is made, and says of which files', async () => {
    write('index.html', 'x')
    expect((await of()).origin).toEqual({
      kind: 'generated',
      stack: ['static files'],
      evidence: [{ file: 'index.html', fact: 'is the first page' }],
    })
  })

  it('none for a path that somebody has set, so that a typo stays an error', async () => {
    write('index.html', 'x')
    await expect(of({ dockerfilePath: 'Dockerfile.prd' })).rejects.toMatchObject({ code: 'DOCKERFILE_NOT_FOUND' })
  })

  it('the repository’s .dockerignore wins over the one that was made with a Dockerfile', async () => {
    write('.dockerignore', 'own.txt\n')
    const { ignore } = await of({ kept: kept('always') })
    expect([ignore.ignores('own.txt'), ignore.ignores('kept.txt')]).toEqual([true, false])
  })
})

describe('a look at a repository', () => {
  const look = async () => inspect(await readTree(root, signal), { sha: 'a'.repeat(40), message: 'x\0y' })

  it('lists Dockerfiles, the likeliest first, and no ignore file', async () => {
    for (const path of ['deploy/web.Dockerfile', 'Dockerfile.dockerignore', 'Dockerfile', 'Dockerfile.prod', 'src/Dockerfile.md/x'])
      write(path, '')
    expect((await look()).dockerfiles).toEqual(['Dockerfile', 'Dockerfile.prod', 'deploy/web.Dockerfile'])
  })

  it('offers each app of a repository with the folder to build in', async () => {
    write('package.json', '{"workspaces":["apps/*"]}')
    write('apps/web/package.json', '{"scripts":{"start":"node server.js"}}')
    write('api/go.mod', 'module x\n')
    write('api/main.go', 'package main\n')
    const { apps, commit } = await look()
    expect(apps.map(({ folder, contextPath }) => [folder, contextPath])).toEqual([
      ['apps/web', '.'],
      ['api', 'api'],
    ])
    expect(commit.message).toBe('x\uFFFDy')
  })

  it('says why where nothing can be made', async () => {
    write('job/requirements.txt', 'numpy')
    expect(await look()).toMatchObject({ apps: [], refused: [{ folder: 'job', refused: expect.stringContaining('how to start') }] })
  })

  it('of a thousand apps is cut off', async () => {
    for (let i = 0; i < 300; i++) write(`app${i}/index.html`, '')
    expect((await look()).apps).toHaveLength(20)
  })
})
