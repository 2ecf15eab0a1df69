/** The commands that pages show are run as they are shown. */
import { createHash, randomBytes } from 'node:crypto'
import path from 'node:path'
import { newId } from '@slipway/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { pullCommands } from '../../../packages/services/src/images/commands'
import { client, type Installation, startInstallation, writeImage } from './installation'

let i: Installation
let digest: string
let credentials: string
beforeAll(async () => {
  i = await startInstallation()
  credentials = `key:${i.people.ada.apiKey}`
  const source = path.join(i.folder, 'image')
  digest = await writeImage(source, 'v1', 'hello from a command')
  await client(
    'skopeo',
    'copy',
    '--dest-tls-verify=false',
    '--dest-creds',
    credentials,
    `oci:${source}:v1`,
    `docker://${i.host}/acme/shown:v1`,
  )
})
afterAll(() => i?.close())

const commandsAt = (webUrl: string, reference: string) => {
  const [, port] = i.host.split(':')
  const config = { webUrl, registryPort: Number(port) } as Parameters<typeof pullCommands>[0]
  return pullCommands(config, { path: 'acme/shown', reference }, credentials)
}
const run = (command: string, ...flags: string[]) => {
  const [program = '', ...argv] = command.split(' ')
  return client(program, ...flags, ...argv)
}
const podman = (command: string) =>
  run(command, '--root', path.join(i.folder, 'pod'), '--runroot', path.join(i.folder, 'podrun'), '--storage-driver', 'vfs')

it('podman and skopeo pull over http by tag and by digest', async () => {
  for (const reference of [':v1', `@${digest}`]) {
    const commands = commandsAt('http://127.0.0.1:3000', reference)
    expect(await podman(commands.podman)).toMatch(/^[0-9a-f]{64}$/m)
    const to = path.join(i.folder, `copied-${reference.length}`)
    await run(commands.skopeo.replace(/oci:image$/, `oci:${to}:it`))
    expect(JSON.parse(await client('skopeo', 'inspect', `oci:${to}:it`)).Digest).toBe(digest)
  }
})

it('where the panel is behind https, certificates are checked', async () => {
  const commands = commandsAt('https://127.0.0.1', ':v1')
  expect(Object.values(commands).join(' ')).not.toContain('tls-verify')
  await expect(podman(commands.podman)).rejects.toThrow(/HTTP response to HTTPS client/)
})

it('what a share link shows pulls its image with podman, and nothing beside it, until it is revoked', async () => {
  const { db } = i.database
  const { id: organizationId } = await db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })
  const { id: repositoryId } = await db.repository.findFirstOrThrow({ where: { organizationId, name: 'shown' } })
  const secret = `sls_${randomBytes(32).toString('base64url')}`
  const kept = { prefix: secret.slice(4, 12), hash: createHash('sha256').update(secret).digest('hex') }
  const share = await db.share.create({
    data: {
      id: newId('share'),
      organizationId,
      repositoryId,
      digest,
      tag: 'v1',
      createdBy: 'Ada',
      expiresAt: new Date(Date.now() + 3_600_000),
      ...kept,
    },
  })
  const [, port] = i.host.split(':')
  const config = { webUrl: 'http://127.0.0.1:3000', registryPort: Number(port) } as Parameters<typeof pullCommands>[0]
  const shown = (reference: string) => pullCommands(config, { path: 'acme/shown', reference }, `share:${secret}`).podman
  await run('podman rmi -f -a', '--root', path.join(i.folder, 'pod'), '--runroot', path.join(i.folder, 'podrun'), '--storage-driver', 'vfs')
  expect(await podman(shown(`@${digest}`))).toMatch(/^[0-9a-f]{64}$/m)
  await expect(podman(shown(':v1'))).rejects.toThrow(/unauthorized|denied|authentication required/i)

  const auth = ['--tls-verify=false', '--authfile', path.join(i.folder, 'share.json')].join(' ')
  expect(await podman(`podman login ${auth} -u share -p ${secret} ${i.host}`)).toContain('Login Succeeded')
  expect(await podman(`podman pull ${auth} ${i.host}/acme/shown@${digest}`)).toMatch(/^[0-9a-f]{64}$/m)
  await db.share.update({ where: { id: share.id }, data: { revokedAt: new Date() } })
  await expect(podman(shown(`@${digest}`))).rejects.toThrow(/unauthorized|not valid|invalid username/i)
  await expect(podman(`podman login ${auth} -u share -p ${secret} ${i.host}`)).rejects.toThrow(/unauthorized|not valid|invalid username/i)
})
