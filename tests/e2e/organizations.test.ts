/**
 * Two organizations on one host, each with an app and a build. What one of them knows of the other (names, numbers,
 * digests, addresses) gets it nothing: not through the API, the registry, the command line, a container or a build.
 */
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { createAgent } from '@slipway/agent-client'
import { createDb, type Db } from '@slipway/db'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addAccount, type Ready, readyInstallation } from './support/account'
import { fetchApp } from './support/api'
import { buildOver, createGitApp, deploymentSettled, serving, textApp } from './support/apps'
import { listeners } from './support/listeners'

const SLIPWAY = resolve(import.meta.dirname, '../../apps/cli/bin/slipway.cjs')
const SECRET = 'only rivals read this'

let git: TestGitServer
let database: Db
/** Who tries. */
let acme: Ready
/** Who must not notice. */
let rival: Ready
/** Address of the rival's container, and digests of its image. */
let theirs: { address: string; hostname: string; manifest: string; blobs: string[] }

beforeAll(async () => {
  git = await startGitServer()
  git.commit('shop', 'Shop', {
    ...textApp(SECRET, 'RUN mkdir /kept && echo kept > /kept/file\nVOLUME /kept\n'),
    secret: SECRET,
  })
  git.commit('probe', 'Probe', textApp('probe', 'VOLUME /kept\n'))
  acme = await readyInstallation()
  database = createDb(acme.installation.databaseUrl())
  rival = await addAccount(database, acme, 'Eve', 'Rival')
  await createGitApp(rival.api, rival.org, { name: 'Shop', gitUrl: `${git.url}/shop.git` })
  await createGitApp(acme.api, acme.org, { name: 'Probe', gitUrl: `${git.url}/probe.git` })
  const [{ hostname }] = await Promise.all([serving(rival.api, rival.org, 'shop'), serving(acme.api, acme.org, 'probe')])
  const container = await agent().docker.getContainer('rival-shop-1').inspect()
  const image = await rival.api.images.get.query({ org: rival.org, repository: 'shop', reference: 'main' })
  const networks = Object.values(container.NetworkSettings.Networks)
  theirs = {
    address: networks[0]?.IPAddress ?? '',
    hostname,
    manifest: image.digest,
    blobs: image.layers.map((layer) => layer.digest),
  }
  expect(theirs.address).toMatch(/^\d/)
})
afterAll(async () => {
  await database?.$disconnect()
  await acme?.installation.remove()
  await git?.stop()
})

const agent = () => createAgent({ socketPath: acme.installation.agentSocket })

describe('with the ids of the other organization', () => {
  const app = { app: 'shop' }
  const numbered = { ...app, number: 1 }
  const image = () => ({ repository: 'shop', reference: theirs.manifest })
  /** Name, input without the organization, whether it changes something. */
  const calls = (): [string, object, boolean][] => [
    ['apps.get', app, false],
    ['apps.variables', app, false],
    ['apps.stats', app, false],
    ['apps.webhook', app, false],
    ['apps.update', { ...app, name: 'Stolen' }, true],
    ['apps.setVariables', { ...app, variables: [] }, true],
    ['apps.rotateWebhookSecret', app, true],
    ['apps.stop', app, true],
    ['apps.delete', { ...app, confirm: 'shop' }, true],
    ['builds.get', numbered, false],
    ['builds.logs', numbered, false],
    ['builds.trigger', app, true],
    ['builds.cancel', numbered, true],
    ['deployments.list', app, false],
    ['deployments.get', numbered, false],
    ['deployments.redeploy', app, true],
    ['deployments.rollback', numbered, true],
    ['images.tags', { repository: 'shop' }, false],
    ['images.history', { repository: 'shop', tag: 'main' }, false],
    ['images.untagged', { repository: 'shop' }, false],
    ['images.pointTag', { repository: 'shop', tag: 'main', digest: theirs.manifest }, true],
    ['images.get', image(), false],
    ['images.delete', image(), true],
  ]

  it.each(['rival', 'acme'])('named in %s, every call answers 404, with a key and with a session', async (org) => {
    const both: Record<string, string>[] = [{ authorization: `Bearer ${acme.key}` }, { cookie: acme.cookie }]
    for (const [path, input, changes] of calls())
      for (const credentials of both) expect([path, await call(path, { ...input, org }, changes, credentials)]).toEqual([path, 404])
  })

  it('nobody lets themselves in', async () => {
    const credentials = { authorization: `Bearer ${acme.key}` }
    expect(await call('organizations.addMember', { org: 'rival', email: 'ada@example.com', role: 'owner' }, true, credentials)).toBe(404)
    expect(await call('projects.create', { org: 'rival', name: 'Inside' }, true, credentials)).toBe(404)
    expect(await call('organizations.audit', { org: 'rival' }, false, credentials)).toBe(404)
    expect(await call('apps.list', { org: 'rival' }, false, {})).toBe(401)
  })

  it('streams of logs do not open', async () => {
    for (const path of ['apps.logs', 'apps.watch', 'builds.watch', 'deployments.watch']) {
      const text = await firstEvent(path, { org: 'rival', ...numbered })
      expect([path, text]).toEqual([path, expect.stringContaining('NOT_FOUND')])
      expect(text).not.toContain(SECRET)
    }
  })

  it('the command line ends with “not found”', async () => {
    for (const args of [['apps'], ['logs', 'shop'], ['deploy', 'shop'], ['rollback', 'shop'], ['builds', 'shop', '1']]) {
      const { code, out } = await slipway('--org', 'rival', ...args)
      expect([args, code, out]).toEqual([args, 4, ''])
    }
  })
})

describe('with the digests of the other organization', () => {
  const registry = () => `http://localhost:${acme.installation.registryPort}`
  const ask = (method: string, path: string, bearer: string, body?: string) => {
    const type = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }
    return fetch(registry() + path, { method, headers: { authorization: `Bearer ${bearer}`, ...(body !== undefined && type) }, body })
  }
  /** Asked for everything; what it grants is the registry's to say. */
  async function token({ key }: Ready, ...repositories: string[]): Promise<string> {
    const scopes = repositories.map((name) => `&scope=repository:${name}:pull,push,delete`).join('')
    const authorization = `Basic ${Buffer.from(`x:${key}`).toString('base64')}`
    const response = await fetch(`${registry()}/token?service=slipway${scopes}`, { headers: { authorization } })
    return ((await response.json()) as { token: string }).token
  }

  it('the registry gives, takes and mounts nothing', async () => {
    const own = await token(acme, 'acme/stolen', 'rival/shop')
    const [layer = ''] = theirs.blobs
    expect((await ask('GET', `/v2/rival/shop/manifests/${theirs.manifest}`, await token(rival, 'rival/shop'))).status).toBe(200)
    for (const [method, path] of [
      ['GET', '/v2/rival/shop/tags/list'],
      ['GET', `/v2/rival/shop/manifests/${theirs.manifest}`],
      ['DELETE', `/v2/rival/shop/manifests/${theirs.manifest}`],
      ['GET', `/v2/rival/shop/blobs/${layer}`],
      ['POST', '/v2/rival/shop/blobs/uploads/'],
    ] as const) {
      const { status } = await ask(method, path, own)
      expect([method, path, [401, 403, 404].includes(status)]).toEqual([method, path, true])
    }
    expect((await ask('GET', `/v2/acme/stolen/blobs/${layer}`, own)).status).toBe(404)
    // A mount that is not allowed is an upload that begins, as if the blob were not there.
    expect((await ask('POST', `/v2/acme/stolen/blobs/uploads/?mount=${layer}&from=rival/shop`, own)).status).toBe(202)
    const manifest = await (await ask('GET', `/v2/rival/shop/manifests/${theirs.manifest}`, await token(rival, 'rival/shop'))).text()
    const named = await ask('PUT', '/v2/acme/stolen/manifests/latest', own, manifest)
    expect([named.status, await named.text()]).toEqual([404, expect.stringContaining('MANIFEST_BLOB_UNKNOWN')])
  })

  it('no app is made of their image, and none is built on it, though this host has it', async () => {
    const references = ['slipway.local/rival/shop:main', `slipway.local/rival/shop@${theirs.manifest}`]
    for (const [number, imageReference] of references.entries()) {
      const wish = { org: acme.org, project: 'tests', source: 'image' as const, name: `Copy ${number}`, imageReference }
      const { app } = await acme.api.apps.create.mutate(wish).catch(() => ({ app: null }))
      if (app) expect((await deploymentSettled(acme.api, acme.org, app, 1)).state).toBe('failed')
      git.commit(`copy${number}`, 'Copy', { Dockerfile: `FROM ${imageReference}\nCOPY --from=${imageReference} /www /stolen\n` })
      await createGitApp(acme.api, acme.org, { name: `Built ${number}`, gitUrl: `${git.url}/copy${number}.git` })
      const build = await buildOver(acme.api, acme.org, `built-${number}`, 1)
      expect([build.state, build.error?.code]).toEqual(['failed', 'BASE_IMAGE_NOT_FOUND'])
    }
  })

  it('a step that the other has built already is built anew', async () => {
    // The very same sources: the cache would tell what others build, and hand out what they made.
    await createGitApp(acme.api, acme.org, { name: 'Same', gitUrl: `${git.url}/shop.git` })
    const build = await buildOver(acme.api, acme.org, 'same', 1)
    expect(build.state).toBe('succeeded')
    const cached = build.steps.filter((step) => step.state === 'cached').map((step) => step.instruction)
    expect(cached.filter((instruction) => !instruction.startsWith('FROM'))).toEqual([])
    await serving(acme.api, acme.org, 'same')
  })
})

describe('from inside', () => {
  /** Everywhere the other organization and this host's own parts could be reached. */
  const targets = () => {
    const web = [theirs.address, 'rival-shop-1', 'rival-shop', 'shop'].map((host) => `${host}:8080`)
    const parts = ['GATEWAY', '127.0.0.1', 'localhost'].flatMap((host) => listeners(acme.installation).map((port) => `${host}:${port}`))
    return [...web, ...parts]
  }
  const script = () =>
    [
      `gateway=$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')`,
      'mkdir -p /tmp/w; echo control > /tmp/w/index.html; httpd -p 8099 -h /tmp/w',
      'wget -q -O - http://127.0.0.1:8099/',
      `for target in ${targets().join(' ')}; do`,
      'target=$(echo $target | sed "s/GATEWAY/$gateway/; s/:/ /")',
      'if [ "$(echo | timeout 2 nc $target >/dev/null 2>&1; echo $?)" = 0 ]; then echo "reached $target"; fi; done',
      'ls -A /kept 2>/dev/null; find / -xdev -name agent.sock; echo probed',
    ].join('\n')

  it('a container reaches neither the other’s container nor the parts of this host', async () => {
    const docker = agent().docker
    const own = await execIn(docker, 'rival-shop-1', `wget -q -O - http://${theirs.address}:8080/`)
    expect(own).toContain(SECRET)
    const said = await execIn(docker, 'acme-probe-1', script())
    expect(said).toMatch(/^control\n/)
    expect(said).toMatch(/\nprobed\n$/)
    expect(said).not.toMatch(/reached|agent\.sock|file/)
  })

  it('a build reaches neither', async () => {
    git.commit('build', 'Build', {
      Dockerfile: 'FROM slipway.local/base/busybox\nCOPY probe.sh /probe.sh\nRUN sh /probe.sh\n',
      'probe.sh': script(),
    })
    await createGitApp(acme.api, acme.org, { name: 'Build', gitUrl: `${git.url}/build.git` })
    const build = await buildOver(acme.api, acme.org, 'build', 1)
    expect(build.state).toBe('succeeded')
    const log = await acme.api.builds.logs.query({ org: acme.org, app: 'build', number: 1 })
    const said = log.map((chunk) => chunk.text).join('')
    expect(said).toMatch(/control/)
    expect(said).toMatch(/probed/)
    expect(said).not.toMatch(/reached|agent\.sock/)
  })
})

it('and the other has noticed nothing', async () => {
  const view = await rival.api.apps.get.query({ org: rival.org, app: 'shop' })
  expect(view).toMatchObject({ name: 'Shop', desiredState: 'running', state: 'live' })
  expect((await fetchApp(acme.installation.routerPort, theirs.hostname)).text).toBe(`${SECRET}\n`)
  const { builds, deployments, images, organizations } = rival.api
  expect((await builds.list.query({ org: rival.org })).items).toHaveLength(1)
  expect((await deployments.list.query({ org: rival.org, app: 'shop' })).items).toHaveLength(1)
  expect((await images.repositories.query({ org: rival.org })).items.map((item) => item.name)).toEqual(['shop'])
  expect((await organizations.members.query({ org: rival.org })).map((member) => member.name)).toEqual(['Eve'])
})

/** Status of one call over HTTP, as any client sends it. */
async function call(path: string, json: object, changes: boolean, credentials: Record<string, string>): Promise<number> {
  const { webUrl } = acme.installation
  const url = `${webUrl}/api/trpc/${path}`
  const response = changes
    ? await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: webUrl, ...credentials },
        body: JSON.stringify({ json }),
      })
    : await fetch(`${url}?input=${encodeURIComponent(JSON.stringify({ json }))}`, { headers: credentials })
  await response.arrayBuffer()
  return response.status
}

/** What a stream of events says before it ends, or in its first seconds. */
async function firstEvent(path: string, json: object): Promise<string> {
  const url = `${acme.installation.webUrl}/api/trpc/${path}?input=${encodeURIComponent(JSON.stringify({ json }))}`
  const ending = new AbortController()
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${acme.key}`, accept: 'text/event-stream' },
    signal: AbortSignal.any([ending.signal, AbortSignal.timeout(30_000)]),
  })
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString('utf8')
    if (text.includes('NOT_FOUND') || text.includes(SECRET)) break
  }
  ending.abort()
  return text
}

function slipway(...args: string[]): Promise<{ code: number; out: string }> {
  const env = { PATH: process.env.PATH, HOME: acme.installation.data, SLIPWAY_URL: acme.installation.webUrl, SLIPWAY_API_KEY: acme.key }
  return new Promise((done) => {
    execFile(process.execPath, [SLIPWAY, ...args], { env, timeout: 60_000 }, (error, out) =>
      done({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out }),
    )
  })
}

async function execIn(docker: ReturnType<typeof agent>['docker'], name: string, script: string): Promise<string> {
  const exec = await docker.getContainer(name).exec({ Cmd: ['sh', '-c', script], AttachStdout: true, AttachStderr: true, Tty: true })
  const stream = await exec.start({ Tty: true })
  let out = ''
  for await (const chunk of stream) out += String(chunk)
  return out.replaceAll('\r', '')
}
