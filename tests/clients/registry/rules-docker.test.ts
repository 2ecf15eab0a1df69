/** Rules and limits of the registry as a person at docker meets them: the sentence is on their screen, and what holds, holds. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { newId } from '@slipway/core'
import { createRetentionRun, type Db, setRepositoryName, setRetention } from '@slipway/db'
import { runOpenRetention } from '@slipway/services'
import { startDockerd, type TestDockerd } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Installation, startInstallation } from './installation'

let i: Installation
let db: Db
let daemon: TestDockerd
let organizationId: string
beforeAll(async () => {
  i = await startInstallation()
  db = i.database.db
  daemon = await startDockerd()
  organizationId = (await db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })).id
  for (const who of ['ada', 'dan'] as const)
    await docker(who, ['login', '-u', 'key', '--password-stdin', i.host], { input: i.people[who].apiKey })
})
afterAll(async () => {
  await daemon?.stop()
  await i?.close()
})

/** docker's command line with the login of one person; rejects with all that it showed. */
function docker(who: 'ada' | 'dan', argv: string[], { input = '' } = {}): Promise<string> {
  const args = ['--config', path.join(i.folder, `docker-${who}`), '-H', `unix://${daemon.socketPath}`, ...argv]
  return new Promise((resolve, reject) => {
    const options = { timeout: 60_000, env: { PATH: process.env.PATH, HOME: i.folder, DOCKER_BUILDKIT: '0' } }
    const child = execFile('/usr/bin/docker', args, options, (error, stdout, stderr) =>
      error ? reject(new Error(`${stdout}${stderr}`)) : resolve(`${stdout}${stderr}`),
    )
    child.stdin?.end(input)
  })
}

/** An image of its own of one file. */
async function build(name: string, text: string): Promise<void> {
  const context = path.join(i.folder, 'context')
  await mkdir(context, { recursive: true })
  await writeFile(path.join(context, 'Dockerfile'), 'FROM scratch\nCOPY text /text\n')
  await writeFile(path.join(context, 'text'), text)
  await docker('ada', ['build', '-q', '-t', `${i.host}/${name}`, context])
}
const push = (who: 'ada' | 'dan', name: string) => docker(who, ['push', `${i.host}/${name}`])
const rule = (data: { kind: 'immutable' | 'protected'; tags: string }) =>
  db.tagRule.create({ data: { id: newId('tagRule'), organizationId, ...data } })
/** What the registry may remember of a limit. */
const forget = () => new Promise((resolve) => setTimeout(resolve, 600))

it('refuses to push another image under an immutable tag, to an owner too, with the reason and the way on', async () => {
  await rule({ kind: 'immutable', tags: 'v*' })
  await build('acme/api:v1', 'one')
  expect(await push('dan', 'acme/api:v1')).toContain('digest: sha256:')
  // The same image again is no change.
  expect(await push('dan', 'acme/api:v1')).toContain('Layer already exists')
  await build('acme/api:v1', 'two')
  for (const who of ['dan', 'ada'] as const)
    await expect(push(who, 'acme/api:v1')).rejects.toThrow(
      'The tag v1 is immutable by the rule "v*" of acme: it exists and stays as it is. Push under another tag.',
    )
  await docker('dan', ['tag', `${i.host}/acme/api:v1`, `${i.host}/acme/api:v2`])
  await push('dan', 'acme/api:v2')
})

it('lets owners push a protected tag, and tells a developer who may', async () => {
  await rule({ kind: 'protected', tags: 'release' })
  await build('acme/api:release', 'three')
  await expect(push('dan', 'acme/api:release')).rejects.toThrow(
    'The tag release is protected by the rule "release" of acme: only its owners and admins may push it.',
  )
  await push('ada', 'acme/api:release')
})

it('says what is used, what the limit is and whom to ask when there is no more room', async () => {
  const { bytes, repositories } = await db.organizationUsage.findUniqueOrThrow({ where: { organizationId } })
  const limit = (data: { maxBytes?: bigint | null; maxRepositories?: number | null }) =>
    db.organizationUsage.update({ where: { organizationId }, data })
  await build('acme/api:big', 'x'.repeat(5000))
  await limit({ maxBytes: bytes })
  await forget()
  await expect(push('dan', 'acme/api:big')).rejects.toThrow(
    /acme uses .* of .* in this registry.*Delete images, or ask an operator of this installation to raise the limit/s,
  )
  await limit({ maxBytes: null, maxRepositories: repositories })
  await forget()
  await docker('dan', ['tag', `${i.host}/acme/api:big`, `${i.host}/acme/more:1`])
  await expect(push('dan', 'acme/more:1')).rejects.toThrow(`acme has ${repositories} of ${repositories} repositories and gets no more.`)
  await limit({ maxRepositories: null })
  await forget()
  await push('dan', 'acme/api:big')
})

it('pulls by the name that a repository had', async () => {
  const repository = await db.repository.findFirstOrThrow({ where: { organizationId, name: 'api' } })
  await db.$transaction((tx) => setRepositoryName(tx, repository, 'backend/api'))
  const names = ['acme/api:v1', 'acme/backend/api:v1'].map((name) => `${i.host}/${name}`)
  await docker('dan', ['rmi', '-f', `${i.host}/acme/api:v1`])
  const [old, now] = [await docker('dan', ['pull', names[0] ?? '']), await docker('dan', ['pull', names[1] ?? ''])]
  const digest = /Digest: (sha256:[0-9a-f]{64})/
  expect(old).toMatch(digest)
  expect(digest.exec(now)?.[1]).toBe(digest.exec(old)?.[1])
})

it('no longer gives what retention removed, and all the same what a rule keeps', async () => {
  await build('acme/backend/api:main', 'four')
  await push('dan', 'acme/backend/api:main')
  await setRetention(db, organizationId, null, {
    enabled: true,
    repositories: '*',
    keepLast: 1,
    keepUsedDays: null,
    keepTags: [],
    keepDeployments: 10,
    untaggedDays: null,
  })
  await createRetentionRun(db, organizationId, 'Ada')
  const told: string[] = []
  const signals = { publish: (channel: string) => void told.push(channel) }
  const log = { info: () => undefined, error: (what: unknown) => expect(what).toBeUndefined() }
  await runOpenRetention({ db, signals, log } as never, AbortSignal.timeout(60_000))
  expect(told.length).toBeGreaterThan(0)
  await docker('dan', ['rmi', '-f', `${i.host}/acme/api:big`])
  await expect(docker('dan', ['pull', `${i.host}/acme/backend/api:big`])).rejects.toThrow(/not found|manifest unknown/i)
  for (const tag of ['v1', 'v2', 'release', 'main']) await docker('dan', ['pull', `${i.host}/acme/backend/api:${tag}`])
})
