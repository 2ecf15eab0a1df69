/** Robots, share links, keys of a scope and kept logins in the hands of docker with its daemon, and of skopeo. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { newId } from '@slipway/core'
import { startDockerd, type TestDockerd } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PASSWORD } from '../../../apps/registry/src/testing/fixture'
import { client, type Installation, startInstallation, writeImage } from './installation'

let i: Installation
let source: string
let digest: string
let organizationId: string
let daemon: TestDockerd
beforeAll(async () => {
  const made = await Promise.all([startInstallation(), startDockerd()])
  i = made[0]
  daemon = made[1]
  source = path.join(i.folder, 'image')
  digest = await writeImage(source, 'v1', 'hello from tokens')
  organizationId = (await i.database.db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })).id
  await push('team/api:v1', ada())
})
afterAll(async () => {
  await daemon?.stop()
  await i?.close()
})

const ada = () => `key:${i.people.ada.apiKey}`
const skopeo = (...argv: string[]) => client('skopeo', '--insecure-policy', ...argv)
const push = (name: string, creds: string) =>
  skopeo('copy', '--dest-tls-verify=false', '--dest-creds', creds, `oci:${source}:v1`, `docker://${i.host}/acme/${name}`)
const inspect = (name: string, creds: string) =>
  skopeo('inspect', '--raw', '--tls-verify=false', '--creds', creds, `docker://${i.host}/acme/${name}`)

/** docker with a configuration of its own, so that logins do not meet. */
const dockerAs =
  (who: string) =>
  (argv: string[], input = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const args = ['--config', path.join(i.folder, who), '-H', `unix://${daemon.socketPath}`, ...argv]
      const child = execFile(
        '/usr/bin/docker',
        args,
        { timeout: 60_000, env: { PATH: process.env.PATH, HOME: i.folder } },
        (error, out, err) => (error ? reject(new Error(`${argv.join(' ')}: ${out}${err}`)) : resolve(`${out}${err}`)),
      )
      child.stdin?.end(input)
    })

function newSecret(kind: string) {
  const secret = `${kind}_${randomBytes(32).toString('base64url')}`
  return { secret, prefix: secret.slice(4, 12), hash: createHash('sha256').update(secret).digest('hex') }
}

it('lets a robot log in under its name, and do what its patterns say', async () => {
  const { secret, ...kept } = newSecret('slr')
  const grants = [{ pattern: 'team/*', actions: ['pull', 'push'] }]
  const robot = await i.database.db.robot.create({
    data: { id: newId('robot'), organizationId, name: 'ci', grants, createdBy: 'Ada', ...kept },
  })
  const docker = dockerAs('robot')
  expect(await docker(['login', '-u', 'robot$acme+ci', '--password-stdin', i.host], secret)).toContain('Login Succeeded')
  expect(await docker(['pull', `${i.host}/acme/team/api:v1`])).toContain(digest)
  await docker(['tag', `${i.host}/acme/team/api:v1`, `${i.host}/acme/team/by-robot:v1`])
  expect(await docker(['push', `${i.host}/acme/team/by-robot:v1`])).toMatch(/digest: sha256:/)
  await docker(['tag', `${i.host}/acme/team/api:v1`, `${i.host}/acme/other:v1`])
  await expect(docker(['push', `${i.host}/acme/other:v1`])).rejects.toThrow(/denied|unauthorized/i)
  const deeds = await i.database.db.auditEvent.findMany({ where: { action: 'image.push', targetLabel: { contains: 'by-robot' } } })
  expect(deeds.map((deed) => deed.actorLabel)).toEqual(['robot$acme+ci'])
  await i.database.db.robot.update({ where: { id: robot.id }, data: { disabledAt: new Date() } })
  await expect(inspect('team/api:v1', `robot:${secret}`)).rejects.toThrow(/unauthorized|invalid username|not valid/i)
})

it('pulls a shared image by its digest with docker and skopeo, and nothing beside it', async () => {
  const { secret, ...kept } = newSecret('sls')
  const { id: repositoryId } = await i.database.db.repository.findFirstOrThrow({ where: { organizationId, name: 'team/api' } })
  const expiresAt = new Date(Date.now() + 3_600_000)
  const share = await i.database.db.share.create({
    data: { id: newId('share'), organizationId, repositoryId, digest, tag: 'v1', createdBy: 'Ada', expiresAt, ...kept },
  })
  const docker = dockerAs('share')
  const image = `${i.host}/acme/team/api@${digest}`
  expect(await docker(['login', '-u', 'share', '--password-stdin', i.host], secret)).toContain('Login Succeeded')
  await docker(['rmi', '-f', `${i.host}/acme/team/api:v1`]).catch(() => '')
  expect(await docker(['pull', image])).toContain(digest)
  const target = path.join(i.folder, 'shared')
  await mkdir(target)
  await skopeo('copy', '--src-tls-verify=false', '--src-creds', `share:${secret}`, `docker://${image}`, `dir:${target}`)
  await expect(docker(['pull', `${i.host}/acme/team/api:v1`])).rejects.toThrow(/denied|unauthorized/i)
  const list = ['list-tags', '--tls-verify=false', '--creds', `share:${secret}`, `docker://${i.host}/acme/team/api`]
  await expect(skopeo(...list)).rejects.toThrow(/unauthorized|denied|may not/i)
  await i.database.db.share.update({ where: { id: share.id }, data: { revokedAt: new Date() } })
  await expect(docker(['login', '-u', 'share', '--password-stdin', i.host], secret)).rejects.toThrow(/unauthorized|not valid/i)
})

it('keeps a token instead of the password after docker login, which docker pulls and pushes with and skopeo reads', async () => {
  const docker = dockerAs('kept')
  expect(await docker(['login', '-u', i.people.ada.email, '--password-stdin', i.host], PASSWORD)).toContain('Login Succeeded')
  const file = path.join(i.folder, 'kept/config.json')
  const { identitytoken } = JSON.parse(await readFile(file, 'utf8')).auths[i.host]
  expect(identitytoken).toMatch(/^sli_/)
  expect(Buffer.from(await readFile(file)).toString()).not.toContain(Buffer.from(`${i.people.ada.email}:${PASSWORD}`).toString('base64'))
  expect(await docker(['pull', `${i.host}/acme/team/api:v1`])).toContain(digest)
  await docker(['tag', `${i.host}/acme/team/api:v1`, `${i.host}/acme/kept:v1`])
  expect(await docker(['push', `${i.host}/acme/kept:v1`])).toMatch(/digest: sha256:/)
  const inspected = ['inspect', '--raw', '--tls-verify=false', '--authfile', file, `docker://${i.host}/acme/kept:v1`]
  expect(JSON.parse(await skopeo(...inspected))).toMatchObject({ schemaVersion: 2 })
  await i.database.db.refreshToken.deleteMany({ where: { userId: i.people.ada.id } })
  await expect(docker(['push', `${i.host}/acme/kept:v1`])).rejects.toThrow(/unauthorized|denied|not valid/i)
})

it('refuses the push of a key that only reads', async () => {
  await i.database.db.apiKey.updateMany({ where: { userId: i.people.dan.id }, data: { scope: 'registry_read' } })
  const creds = `key:${i.people.dan.apiKey}`
  expect(JSON.parse(await inspect('team/api:v1', creds))).toMatchObject({ schemaVersion: 2 })
  await expect(push('team/api:v2', creds)).rejects.toThrow(/unauthorized|denied|may not/i)
})
