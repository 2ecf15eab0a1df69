/** Pull requests through the webhook, as GitHub, Gitea, Forgejo and GitLab send them, and as somebody hostile would have them sent. */
import { createHmac, randomUUID } from 'node:crypto'
import { channels, type views } from '@slipway/contracts'
import { claimBuild, findBuildToDeploy, finishBuild } from '@slipway/db'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openBuildSecrets } from '../builds/secrets'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let scope: Scope
let app: string
let hook: views.WebhookView
let webhookId: string

beforeAll(async () => {
  h = await createHarness()
  scope = await h.organization('Ada', 'acme')
})
afterAll(() => h.close())
beforeEach(async () => {
  await h.db.build.updateMany({ where: { state: { in: ['queued', 'running'] } }, data: { state: 'canceled' } })
  app = (await h.gitApp(scope, 'web')).app
  await h.services.apps.update(scope, { app, buildPullRequests: true })
  hook = await h.services.webhooks.get(scope, { app })
  webhookId = hook.url.split('/').at(-1) ?? ''
  // The app's own first build is none of these tests' business.
  await h.services.builds.cancel(scope, { app, number: 1 })
})

const sha = () => randomUUID().replaceAll('-', '').padEnd(40, 'a')
const hmac = (body: string) => createHmac('sha256', hook.secret).update(body).digest('hex')
const send = (headers: Record<string, string>, payload: unknown) => {
  const body = JSON.stringify(payload)
  const signed: Record<string, string> = headers['x-gitlab-event']
    ? { 'x-gitlab-token': hook.secret, 'idempotency-key': randomUUID() }
    : headers['x-gitea-event'] || headers['x-forgejo-event']
      ? { 'x-gitea-signature': hmac(body), 'x-gitea-delivery': randomUUID() }
      : { 'x-hub-signature-256': `sha256=${hmac(body)}`, 'x-github-delivery': randomUUID() }
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...signed, ...headers }, body }
  return h.services.webhooks.receive(webhookId, new Request('http://localhost/api/webhooks/x', init))
}

interface Facts {
  action?: string
  number?: number
  title?: string
  head?: string
  base?: string
  commit?: string
  /** Ids of the repositories; null: deleted. */
  from?: number | null
  more?: Record<string, unknown>
}
const pull = ({
  action = 'opened',
  number = 12,
  title = 'Make it blue',
  head = 'blue',
  base = 'main',
  commit = sha(),
  from = 7,
  more,
}: Facts) => ({
  action,
  number,
  pull_request: {
    number,
    title,
    user: { login: 'mallory' },
    head: { ref: head, label: `mallory:${head}`, sha: commit, repo: from === null ? null : { id: from }, ...more },
    base: { ref: base, repo: { id: 7 } },
  },
  // Never looked at: what is fetched comes from the app's settings.
  repository: { id: 7, clone_url: 'https://evil.example/x.git' },
})
const merge = ({
  action = 'open',
  number = 12,
  title = 'Make it blue',
  head = 'blue',
  base = 'main',
  commit = sha(),
  from = 7,
  more,
}: Facts) => ({
  object_kind: 'merge_request',
  user: { name: 'Mallory' },
  object_attributes: {
    iid: number,
    title,
    action,
    source_branch: head,
    target_branch: base,
    source_project_id: from,
    target_project_id: 7,
    last_commit: { id: commit },
    ...more,
  },
})

const SERVERS = {
  github: (facts: Facts) => send({ 'x-github-event': 'pull_request' }, pull(facts)),
  gitea: (facts: Facts) => send({ 'x-gitea-event': 'pull_request', 'x-github-event': 'pull_request' }, pull(facts)),
  forgejo: (facts: Facts) => send({ 'x-forgejo-event': 'pull_request_sync' }, pull(facts)),
  gitlab: (facts: Facts) => send({ 'x-gitlab-event': 'Merge Request Hook' }, merge(facts)),
}
type Server = keyof typeof SERVERS
const servers = Object.keys(SERVERS) as Server[]
const builds = async () => (await h.services.builds.list(scope, { app, limit: 50 })).items.filter((build) => build.number > 1)
const newest = async () => (await builds())[0]
const row = (number: number) => h.db.build.findFirstOrThrow({ where: { app: { slug: app }, number } })
const delivery = async () => (await h.services.webhooks.get(scope, { app })).deliveries[0]

describe.each(servers)('a pull request of %s', (server) => {
  const merges = server === 'gitlab'
  const name = merges ? 'merge request !12' : 'pull request #12'

  it('is built: its commit, from where the app’s own repository keeps it', async () => {
    const commit = sha()
    const answer = await SERVERS[server]({ commit })
    expect(answer).toEqual({ status: 202, body: { outcome: 'accepted', reason: `Build #2 of ${name} was started.`, build: 2 } })
    expect(await newest()).toMatchObject({
      number: 2,
      state: 'queued',
      trigger: 'pull_request',
      deploys: false,
      actor: merges ? 'Mallory' : 'mallory',
      branch: 'blue',
      commit: { sha: commit },
      pullRequest: { number: 12, title: 'Make it blue', kind: merges ? 'merge' : 'pull', fromFork: false },
    })
    const ref = merges ? 'refs/merge-requests/12/head' : 'refs/pull/12/head'
    expect(await row(2)).toMatchObject({ pullRequestRef: ref, deploys: false, fromFork: false })
    expect(await h.queues.build.getJob((await row(2)).id)).toBeTruthy()
    expect(await delivery()).toMatchObject({ outcome: 'accepted', status: 202, build: 2, branch: 'blue', commitSha: commit })
  })

  it.each([
    ['another repository', 8],
    ['one that was deleted', null],
  ])('is from a fork when its commits lie in %s', async (_, from) => {
    expect((await SERVERS[server]({ from })).body.reason).toBe(`Build #2 of ${name}, from a fork, was started.`)
    expect((await newest())?.pullRequest).toMatchObject({ fromFork: true })
  })

  it('is built again with each new commit, which takes the place of the one before it', async () => {
    await SERVERS[server]({})
    const push = merges ? { action: 'update', more: { oldrev: sha() } } : { action: server === 'github' ? 'synchronize' : 'synchronized' }
    await SERVERS[server]({ ...push, number: 13 })
    await SERVERS[server](push)
    await SERVERS[server]({ action: merges ? 'reopen' : 'reopened' })
    expect((await builds()).map((build) => [build.number, build.state])).toEqual([
      [5, 'queued'],
      [4, 'superseded'],
      [3, 'queued'],
      [2, 'superseded'],
    ])
  })

  it('is canceled when it is closed, running or not, and says why', async () => {
    await SERVERS[server]({})
    expect((await claimBuild(h.db))?.number).toBe(2)
    await SERVERS[server]({ number: 13 })
    const told: string[] = []
    const unsubscribe = h.deps.signals.subscribe(channels.cancel, (id) => void told.push(id))
    expect((await SERVERS[server]({ action: merges ? 'merge' : 'closed' })).body).toMatchObject({ outcome: 'accepted', build: null })
    expect((await delivery())?.reason).toMatch(/was closed: build #2 is canceled\.$/)
    await expect.poll(() => told).toEqual([(await row(2)).id])
    unsubscribe()
    expect(await row(2)).toMatchObject({
      state: 'running',
      cancelRequestedAt: expect.any(Date),
      errorMessage: 'The pull request was closed.',
    })
    await SERVERS[server]({ number: 13, action: merges ? 'close' : 'closed' })
    expect(await newest()).toMatchObject({ number: 3, state: 'canceled', error: { code: 'PULL_REQUEST_CLOSED' } })
    expect((await SERVERS[server]({ number: 99, action: merges ? 'close' : 'closed' })).body).toMatchObject({ outcome: 'ignored' })
  })

  it('is ignored when it is for another branch, and when only its words changed', async () => {
    expect((await SERVERS[server]({ base: 'dev' })).body).toMatchObject({
      outcome: 'ignored',
      reason: expect.stringMatching(/built from main; .*12 is to be merged into dev/),
    })
    expect((await SERVERS[server]({ action: merges ? 'update' : 'labeled' })).body).toMatchObject({
      outcome: 'ignored',
      reason: expect.stringMatching(/Only new commits/),
    })
    expect(await builds()).toEqual([])
  })

  it('is ignored unless the app says that they are built', async () => {
    await h.services.apps.update(scope, { app, buildPullRequests: false })
    expect((await SERVERS[server]({})).body).toMatchObject({ outcome: 'ignored', reason: expect.stringMatching(/not built.*settings/) })
    expect(await builds()).toEqual([])
  })
})

it('is off for a new app', async () => {
  const fresh = (await h.gitApp(scope, 'fresh')).app
  expect((await h.services.apps.get(scope, { app: fresh })).settings.buildPullRequests).toBe(false)
})

it('takes the place of one that runs, which is told to end', async () => {
  await SERVERS.github({})
  await claimBuild(h.db)
  const told: string[] = []
  const unsubscribe = h.deps.signals.subscribe(channels.cancel, (id) => void told.push(id))
  await SERVERS.github({ action: 'synchronize' })
  await expect.poll(() => told).toEqual([(await row(2)).id])
  unsubscribe()
  expect(await row(2)).toMatchObject({ cancelRequestedAt: expect.any(Date), errorCode: 'PULL_REQUEST_MOVED_ON' })
  // One that was through before the worker heard of it has no reason left.
  await finishBuild(h.db, (await row(2)).id, 'succeeded')
  expect(await row(2)).toMatchObject({ state: 'succeeded', errorCode: null, errorMessage: null })
})

it('counts once for a repeated delivery', async () => {
  const payload = pull({})
  const again = { 'x-github-event': 'pull_request', 'x-github-delivery': 'same' }
  const answers = await Promise.all(Array.from({ length: 4 }, () => send(again, payload)))
  expect(answers.map(({ body }) => body.outcome).sort()).toEqual(['accepted', 'duplicate', 'duplicate', 'duplicate'])
  expect(await builds()).toHaveLength(1)
})

it('neither takes a push’s place nor loses its own to one', async () => {
  const push = (after = sha()) => send({ 'x-github-event': 'push' }, { ref: 'refs/heads/main', after })
  await push()
  await SERVERS.github({})
  await push()
  expect((await builds()).map((build) => [build.number, build.state])).toEqual([
    [4, 'queued'],
    [3, 'queued'],
    [2, 'superseded'],
  ])
})

it('is never deployed, and is not what an app shows as its last build', async () => {
  await SERVERS.github({})
  const { id } = await row(2)
  await claimBuild(h.db)
  await finishBuild(h.db, id, 'failed', { error: { code: 'X', message: 'broken by a stranger' } })
  const view = await h.services.apps.get(scope, { app })
  expect(view).toMatchObject({ inFlightBuild: null, state: 'empty' })
  expect((await h.services.builds.list(scope, { app, pullRequests: false, limit: 1 })).items.map((build) => build.number)).toEqual([1])
  expect((await findBuildToDeploy(h.db, id))?.deploys).toBe(false)
  expect(await h.services.deployments.createFromBuild(id)).toBeNull()
  const [event] = await h.db.event.findMany({ where: { organizationId: scope.organizationId, kind: 'build.failed' } })
  expect(event?.data).toMatchObject({ trigger: 'pull_request', pullRequest: { number: 12, fromFork: false } })
})

it('of a fork opens no secret of the app, and one of a branch opens them', async () => {
  await h.services.apps.setVariables(scope, {
    app,
    variables: [
      { scope: 'build', key: 'NPM_TOKEN', value: 'hush', secret: true },
      { scope: 'build', key: 'MODE', value: 'dark', secret: false },
    ],
  })
  const secretsOf = async (from: number) => {
    await SERVERS.github({ from })
    const build = await claimBuild(h.db)
    if (!build) throw new Error('no build')
    await h.db.build.update({ where: { id: build.id }, data: { state: 'failed' } })
    const { buildArgs, buildSecrets } = openBuildSecrets(h.deps, build)
    return { buildArgs, buildSecrets }
  }
  expect(await secretsOf(8)).toEqual({ buildArgs: { MODE: 'dark' }, buildSecrets: {} })
  expect(await secretsOf(7)).toEqual({ buildArgs: { MODE: 'dark' }, buildSecrets: { NPM_TOKEN: 'hush' } })
})

it('waits with at most twenty others: anybody may open as many as they like', async () => {
  for (let number = 1; number <= 20; number++) expect((await SERVERS.github({ number })).status).toBe(202)
  expect((await SERVERS.github({ number: 21 })).body).toMatchObject({
    outcome: 'ignored',
    reason: expect.stringMatching(/^20 builds .*#21/),
  })
  expect(await builds()).toHaveLength(20)
})

describe('what a hostile one says', () => {
  it.each([
    ['Gitea’s proposal without a branch (refs/for)', { head: 'refs/pull/12/head', more: { label: '' } }],
    ['a head that is no branch', { head: 'refs/pull/12/head' }],
    ['an empty label', { more: { label: '' } }],
    ['a repository without an id', { more: { repo: {} } }],
    ['an id that is text', { more: { repo: { id: '7' } } }],
    ['an id that is a list', { more: { repo: { id: [7] } } }],
  ])('counts as a fork: %s', async (_, facts) => {
    await SERVERS.gitea(facts)
    expect((await newest())?.pullRequest?.fromFork).toBe(true)
  })

  it.each([
    ['no source project', { source_project_id: undefined }],
    ['projects that are zero', { source_project_id: 0, target_project_id: 0 }],
    ['projects that are nothing', { source_project_id: null, target_project_id: null }],
  ])('counts as a fork at GitLab: %s', async (_, more) => {
    await SERVERS.gitlab({ more })
    expect((await newest())?.pullRequest?.fromFork).toBe(true)
  })

  it('cannot write over lines, turn words round, or fill the page', async () => {
    await SERVERS.github({ title: `a\0b\n\u202Ec${'x'.repeat(5000)}`, head: `${'y'.repeat(900)}` })
    const build = await newest()
    expect(build?.pullRequest?.title).toMatch(/^a b cx+$/)
    expect(build?.pullRequest?.title).toHaveLength(300)
    expect(build?.branch).toHaveLength(255)
  })

  it.each([
    ['no number', { ...pull({}), pull_request: { ...pull({}).pull_request, number: null } }],
    ['a number that no row can have', pull({ number: 4_000_000_000 })],
    ['a number with a path', { ...pull({}), pull_request: { ...pull({}).pull_request, number: '12/../../heads/main' } }],
    ['a commit that is an option of git', pull({ commit: '--upload-pack=id' })],
    ['a short commit', pull({ commit: 'abc1234' })],
    ['no branch', { action: 'opened', pull_request: { number: 1, title: 'x' } }],
    ['a list', []],
    ['nothing', null],
  ])('is refused: %s', async (_, payload) => {
    expect(await send({ 'x-github-event': 'pull_request' }, payload)).toMatchObject({ status: 400, body: { outcome: 'refused' } })
    expect(await builds()).toEqual([])
  })

  it('starts nothing without the signature, and burns no delivery id', async () => {
    const forged = { 'x-github-event': 'pull_request', 'x-github-delivery': 'd1', 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` }
    expect((await send(forged, pull({}))).status).toBe(401)
    expect((await send({ 'x-github-event': 'pull_request', 'x-github-delivery': 'd1' }, pull({}))).status).toBe(202)
  })

  it('reaches no other app than the webhook’s', async () => {
    const other = (await h.gitApp(scope, 'other')).app
    await SERVERS.github({})
    await h.services.apps.update(scope, { app: other, buildPullRequests: true })
    await SERVERS.github({ action: 'closed' })
    expect((await h.services.builds.list(scope, { app: other, limit: 10 })).items.map((build) => build.state)).toEqual(['queued'])
  })
})
