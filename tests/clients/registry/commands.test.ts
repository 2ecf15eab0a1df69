/** The commands that pages show are run as they are shown. */
import path from 'node:path'
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
