import { noteVolumes } from '@slipway/db'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBuildSecrets } from '../builds/secrets'
import { sealUpload } from '../builds/upload-options'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'
import { freeHostname } from './hostname'

let h: Harness
let acme: Scope
let evil: Scope

beforeAll(async () => {
  h = await createHarness()
  acme = await h.scope(await h.user('Ada', 'acme'), 'acme')
  evil = await h.scope(await h.user('Mallory', 'evil'), 'evil')
  for (const scope of [acme, evil]) await h.services.projects.create(scope, { name: 'Shop' })
})
afterAll(() => h.close())

const settings = { healthPath: '/', healthTimeoutSeconds: 60, variables: [], project: 'shop' }
const git = (name: string, more: { gitToken?: string } = {}) => ({
  source: 'git' as const,
  name,
  gitUrl: 'https://git.example.com/acme/web.git',
  gitBranch: 'main',
  dockerfilePath: 'Dockerfile',
  contextPath: '.',
  autoDeploy: true,
  ...settings,
  ...more,
})

describe('names', () => {
  it('gives each app a slug, an address and a first build', async () => {
    const created = await h.services.apps.create(acme, git('Mein Café'))
    expect(created).toEqual({ app: 'mein-cafe', project: 'shop', build: 1, deployment: null })
    const app = await h.services.apps.get(acme, { app: 'mein-cafe' })
    expect(app).toMatchObject({
      url: 'http://mein-cafe.localhost:8080',
      state: 'building',
      activity: 'Build #1 queued',
      inFlightBuild: { number: 1 },
    })
    expect(await h.queues.build.getJob(app.inFlightBuild?.id ?? '')).toBeTruthy()
  })

  it('finds another one for the same name, in the same and in another organization, also at the same instant', async () => {
    const [first, ...others] = await Promise.all([acme, acme, acme, evil].map((scope) => h.services.apps.create(scope, git('blog'))))
    expect(first).toBeDefined()
    expect(others).toHaveLength(3)
    const names = await h.db.domain.findMany({
      where: { hostname: { startsWith: 'blog' } },
      select: { hostname: true },
      orderBy: { hostname: 'asc' },
    })
    expect(new Set(names.map((row) => row.hostname)).size).toBe(4)
    expect(names[names.length - 1]?.hostname).toBe('blog.localhost')
    expect(
      (await h.services.apps.list(acme))
        .map((app) => app.slug)
        .filter((slug) => slug.startsWith('blog'))
        .sort(),
    ).toEqual(['blog', 'blog-2', 'blog-3'])
  })

  it('keeps a label within the 63 characters of DNS', async () => {
    const long = 'a'.repeat(48)
    await h.services.apps.create(evil, git(long))
    await h.services.apps.create(acme, git(long))
    const hostname = await freeHostname(h.db, long, 'b'.repeat(48), 'localhost')
    for (const { hostname: name } of [{ hostname }, ...(await h.db.domain.findMany())])
      expect(name.split('.')[0]?.length).toBeLessThanOrEqual(63)
  })
})

describe('secrets of an app', () => {
  it('are sealed in the database and opened for the build only', async () => {
    const { app: slug } = await h.services.apps.create(acme, {
      ...git('sealed', { gitToken: 'ghp_topsecret' }),
      variables: [
        { scope: 'build', key: 'NPM_TOKEN', value: 'npm_topsecret', secret: true },
        { scope: 'build', key: 'MODE', value: 'dark', secret: false },
      ],
    })
    const row = await h.db.app.findFirstOrThrow({
      where: { slug },
      include: { variables: { orderBy: { key: 'desc' } }, builds: true },
    })
    expect(Buffer.from(row.gitToken ?? []).toString()).not.toContain('topsecret')
    expect(Buffer.from(row.variables[0]?.value ?? []).toString()).not.toContain('topsecret')
    expect(JSON.stringify(await h.services.apps.get(acme, { app: slug }))).not.toContain('topsecret')
    expect(JSON.stringify(await h.db.auditEvent.findMany())).not.toContain('topsecret')
    const build = await h.db.build.findFirstOrThrow({
      where: { appId: row.id },
      include: { app: { include: { organization: { select: { slug: true } }, project: { select: { slug: true } }, variables: true } } },
    })
    expect(openBuildSecrets(h.deps, build)).toEqual({
      gitToken: 'ghp_topsecret',
      buildArgs: { MODE: 'dark' },
      deployKey: null,
      forwarded: [],
      buildSecrets: { NPM_TOKEN: 'npm_topsecret' },
    })
    // What a client sends along comes on top: text as text, the rest as bytes.
    const secrets = { buildArgs: { NPM_TOKEN: 'given' }, secrets: { text: 'ü', keystore: { base64: '/u3+7QA=' } } }
    const upload = { tree: `sha256:${'a'.repeat(64)}`, dockerfilePath: 'Dockerfile', ignore: '', target: null, push: false, tag: 'latest' }
    expect(openBuildSecrets(h.deps, { ...build, upload, uploadSecrets: sealUpload(h.deps.sealer, build, secrets) })).toMatchObject({
      buildArgs: { MODE: 'dark', NPM_TOKEN: 'given' },
      buildSecrets: { NPM_TOKEN: 'npm_topsecret', text: 'ü', keystore: Buffer.from([0xfe, 0xed, 0xfe, 0xed, 0]) },
    })
  })

  it('are none of the named contexts, whose images are asked for as any other', async () => {
    const { app } = await h.services.apps.create(acme, git('contexts'))
    const namedContexts = [
      { name: 'docs', value: './docs' },
      { name: 'base', value: 'docker-image://debian:12' },
    ]
    expect((await h.services.apps.update(acme, { app, namedContexts })).settings.namedContexts).toEqual(namedContexts)
    const foreign = [{ name: 'x', value: 'docker-image://slipway.local/other/secret:1' }]
    await expect(h.services.apps.update(acme, { app, namedContexts: foreign })).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' })
  })

  it('do not go to another host when the address changes', async () => {
    const { app } = await h.services.apps.create(acme, git('moved', { gitToken: 'ghp_x' }))
    const asTheApiHandsItOn = { org: 'acme', app, gitUrl: 'https://git.example.com/acme/other.git' }
    const same = await h.services.apps.update(acme, asTheApiHandsItOn)
    expect(same.settings.hasGitToken).toBe(true)
    const moved = await h.services.apps.update(acme, { app, gitUrl: 'https://evil.example.com/acme/web.git' })
    expect(moved.settings.hasGitToken).toBe(false)
  })

  it('keep their value when none is sent, and cannot be read back by calling them no secret', async () => {
    const { app } = await h.services.apps.create(acme, git('vars'))
    const one = { scope: 'runtime' as const, key: 'KEY' }
    await h.services.apps.setVariables(acme, { app, variables: [{ ...one, value: 'v1', secret: true }] })
    expect(await h.services.apps.setVariables(acme, { app, variables: [{ ...one, secret: true }] })).toMatchObject([
      { key: 'KEY', value: null },
    ])
    await expect(h.services.apps.setVariables(acme, { app, variables: [{ ...one, secret: false }] })).rejects.toMatchObject({
      code: 'VARIABLE_STAYS_SECRET',
    })
    await expect(h.services.apps.setVariables(acme, { app, variables: [{ ...one, key: 'NEW', secret: false }] })).rejects.toMatchObject({
      code: 'VARIABLE_EMPTY',
    })
    const twice = [1, 2].map(() => ({ ...one, value: 'x', secret: false }))
    await expect(h.services.apps.setVariables(acme, { app, variables: twice })).rejects.toMatchObject({ code: 'VARIABLE_TWICE' })
    expect(await h.services.apps.setVariables(acme, { app, variables: [] })).toEqual([])
  })
})

describe('how an image is written', () => {
  it('is OCI with gzip unless the settings say otherwise', async () => {
    const { app } = await h.services.apps.create(acme, git('written'))
    expect((await h.services.apps.get(acme, { app })).settings).toMatchObject({ imageFormat: 'oci_gzip', reproducible: false })
    const { settings } = await h.services.apps.update(acme, { app, imageFormat: 'oci_zstd', reproducible: true })
    expect(settings).toMatchObject({ imageFormat: 'oci_zstd', reproducible: true })
  })
})

describe('from an image', () => {
  it('runs one of its own organization by every name docker knows it by, pinned to its digest', async () => {
    const { digest } = await h.image(acme, 'api')
    for (const imageReference of ['slipway.local/acme/api', 'localhost:5000/acme/api:latest', `slipway.local/acme/api@${digest}`]) {
      const { app, deployment, build } = await h.services.apps.create(acme, {
        source: 'image',
        name: 'from image',
        imageReference,
        ...settings,
      })
      expect([deployment, build]).toEqual([1, null])
      const view = await h.services.deployments.get(acme, { app, number: 1 })
      expect(view.image).toMatchObject({ digest, repository: 'slipway.local/acme/api' })
      expect(view.hops.map((hop) => hop.state)).toEqual(['skipped', 'skipped', 'skipped', 'pending', 'pending'])
    }
  })

  it('does not run, nor tell of, another organization’s image', async () => {
    const { repositoryId } = await h.image(evil, 'secret')
    const create = (imageReference: string) => h.services.apps.create(acme, { source: 'image', name: 'steal', imageReference, ...settings })
    const foreign = await create('slipway.local/evil/secret').catch((error: Error) => error.message)
    const absent = await create('slipway.local/evil/nothing').catch((error: Error) => error.message)
    expect(foreign).toBe(String(absent).replace('nothing', 'secret'))
    await h.db.repository.update({ where: { id: repositoryId }, data: { visibility: 'public' } })
    expect(await create('slipway.local/evil/secret')).toMatchObject({ deployment: 1 })
  })

  it('names what is wrong with a name', async () => {
    const create = (imageReference: string) => h.services.apps.create(acme, { source: 'image', name: 'bad', imageReference, ...settings })
    await expect(create('https://docker.io/x')).rejects.toMatchObject({ code: 'REFERENCE_INVALID' })
    await expect(create('slipway.local/acme/api:nope')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND', status: 404 })
  })
})

describe('stop, start, delete', () => {
  it('says what deleting removes, asks for the name, cancels what runs and is gone at once', async () => {
    const { app } = await h.services.apps.create(acme, git('doomed'))
    const row = await h.db.app.findFirstOrThrow({ where: { slug: 'doomed' } })
    await h.db.build.updateMany({ where: { appId: row.id }, data: { state: 'running' } })
    for (const paths of [['/data'], [], ['/cache', '/data']]) await noteVolumes(h.db, row.id, paths)
    await expect(h.services.apps.delete(acme, { app, confirm: 'nope' })).rejects.toMatchObject({ code: 'CONFIRM_MISMATCH' })
    const canceled: string[] = []
    h.deps.signals.subscribe('slipway:cancel', (id) => canceled.push(id))
    await new Promise((resolve) => setTimeout(resolve, 50))
    const removes = await h.services.apps.delete(acme, { app, confirm: 'doomed' })
    const volumes = ['/cache', '/data']
    expect(removes).toEqual({ containers: 0, builds: 1, deployments: 0, volumes, hostnames: ['doomed.localhost'], repository: null })
    const build = await h.db.build.findFirstOrThrow({ where: { appId: row.id } })
    expect(build.cancelRequestedAt).not.toBeNull()
    await expect.poll(() => canceled).toContain(build.id)
    await expect(h.services.apps.get(acme, { app })).rejects.toMatchObject({ code: 'APP_NOT_FOUND' })
    await expect(h.services.builds.trigger(acme, { app, noCache: false }, 'manual')).rejects.toMatchObject({ code: 'APP_NOT_FOUND' })
    // The name is free when the worker has removed everything, not before.
    expect((await h.services.apps.create(acme, git('doomed'))).app).toBe('doomed-2')
  })

  it('stops at once and starts by building what was never built', async () => {
    const { app } = await h.services.apps.create(acme, git('idle'))
    await h.services.builds.cancel(acme, { app, number: 1 })
    expect(await h.services.apps.stop(acme, { app })).toMatchObject({ state: 'stopped', desiredState: 'stopped', serving: null })
    expect(await h.services.apps.start(acme, { app })).toMatchObject({ state: 'building', inFlightBuild: { number: 2 } })
  })
})

it('makes an example from the built-in Git endpoint, in a project of its own when there is none', async () => {
  const bob = await h.scope(await h.user('Bob', 'bobs'), 'bobs')
  expect(await h.services.apps.createExample(bob, { example: 'hello' })).toEqual({
    app: 'hello',
    project: 'examples',
    build: 1,
    deployment: null,
  })
  expect((await h.services.apps.get(bob, { app: 'hello' })).settings.gitUrl).toBe('http://localhost:3000/api/examples/hello.git')
  expect(await h.services.organizations.search(bob, { query: 'hel' })).toMatchObject([{ kind: 'app', href: '/bobs/apps/hello' }])
  expect((await h.services.activity.list(bob, { limit: 10 })).items.map((event) => event.action)).toEqual(['app.create', 'project.create'])
})
