import { createHmac, randomUUID } from 'node:crypto'
import type { views } from '@slipway/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
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
  app = (await h.gitApp(scope, 'web')).app
  hook = await h.services.webhooks.get(scope, { app })
  webhookId = hook.url.split('/').at(-1) ?? ''
})

const sha = () => randomUUID().replaceAll('-', '').padEnd(40, 'a')
const payload = (ref = 'refs/heads/main', after = sha()) =>
  JSON.stringify({
    ref,
    after,
    head_commit: { id: after, message: 'Make it blue', timestamp: '2026-11-20T10:00:00Z', author: { name: 'Ada', username: 'ada' } },
  })
const hmac = (body: string, secret = hook.secret) => createHmac('sha256', secret).update(body).digest('hex')

function send(headers: Record<string, string>, body: string | ReadableStream<Uint8Array>) {
  const request = new Request('http://localhost/api/webhooks/x', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    duplex: 'half',
  } as RequestInit)
  return h.services.webhooks.receive(webhookId, request)
}
const github = (body: string, more: Record<string, string> = {}) =>
  send({ 'x-github-event': 'push', 'x-github-delivery': randomUUID(), 'x-hub-signature-256': `sha256=${hmac(body)}`, ...more }, body)
const deliveries = async () => (await h.services.webhooks.get(scope, { app })).deliveries
const builds = async () => (await h.services.builds.list(scope, { app, limit: 50 })).items

describe('a verified push', () => {
  it.each([
    ['github', (body: string) => ({ 'x-github-event': 'push', 'x-github-delivery': 'd1', 'x-hub-signature-256': `sha256=${hmac(body)}` })],
    ['gitlab', () => ({ 'x-gitlab-event': 'Push Hook', 'idempotency-key': 'd1', 'x-gitlab-token': hook.secret })],
    [
      'gitea',
      // Gitea sends GitHub's headers as well.
      (body: string) => ({ 'x-gitea-event': 'push', 'x-github-event': 'push', 'x-gitea-delivery': 'd1', 'x-gitea-signature': hmac(body) }),
    ],
    ['gitea', (body: string) => ({ 'x-forgejo-event': 'push', 'x-forgejo-delivery': 'd1', 'x-forgejo-signature': hmac(body) })],
  ] as const)('of %s starts a build of that commit', async (provider, headers) => {
    const after = sha()
    const body = payload('refs/heads/main', after)
    const answer = await send(headers(body), body)
    expect(answer).toEqual({ status: 202, body: { outcome: 'accepted', reason: 'Build #2 was started.', build: 2 } })
    const [build] = await builds()
    expect(build).toMatchObject({
      number: 2,
      state: 'queued',
      trigger: 'push',
      actor: 'Ada',
      commit: { sha: after, message: 'Make it blue' },
    })
    expect(await h.queues.build.getJob(build?.id ?? '')).toBeTruthy()
    expect(await deliveries()).toMatchObject([
      { provider, event: expect.any(String), outcome: 'accepted', status: 202, build: 2, branch: 'main' },
    ])
  })

  it('is read from a form as well', async () => {
    const body = new URLSearchParams({ payload: payload() }).toString()
    expect((await github(body, { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(202)
  })

  it('supersedes the one before it when two come within a second', async () => {
    const answers = await Promise.all([github(payload()), github(payload()), github(payload())])
    expect(answers.map((answer) => answer.status)).toEqual([202, 202, 202])
    const all = await builds()
    expect(all.map((build) => build.number)).toEqual([4, 3, 2, 1])
    expect(all.map((build) => build.state)).toEqual(['queued', 'superseded', 'superseded', 'superseded'])
  })

  it('does nothing twice for a repeated delivery id, not even at the same instant', async () => {
    const body = payload()
    const again = { 'x-github-delivery': 'same' }
    const answers = await Promise.all(Array.from({ length: 8 }, () => github(body, again)))
    expect(answers.filter((answer) => answer.status === 202)).toHaveLength(1)
    expect(answers.filter((answer) => answer.body.outcome === 'duplicate')).toHaveLength(7)
    expect((await github(body, again)).body.outcome).toBe('duplicate')
    expect(await builds()).toHaveLength(2)
  })
})

describe('what is no push to the branch', () => {
  it.each([
    ['another branch', payload('refs/heads/dev'), /built from main/],
    ['a tag', payload('refs/tags/v1'), /Only branches/],
    ['a deleted branch', payload('refs/heads/main', '0'.repeat(40)), /deleted/],
  ])('is ignored: %s', async (_, body, reason) => {
    const answer = await github(body)
    expect(answer).toMatchObject({ status: 200, body: { outcome: 'ignored', build: null } })
    expect(answer.body.reason).toMatch(reason)
    expect(await builds()).toHaveLength(1)
    expect((await deliveries())[0]).toMatchObject({ outcome: 'ignored' })
  })

  it('answers a ping, and ignores issues', async () => {
    expect((await github('{}', { 'x-github-event': 'ping' })).body).toEqual({ outcome: 'ignored', reason: 'pong', build: null })
    expect((await github('{}', { 'x-github-event': 'issues' })).body.outcome).toBe('ignored')
  })

  it('is ignored while automatic deploys are off, and while the app is stopped', async () => {
    await h.services.apps.update(scope, { app, autoDeploy: false })
    expect((await github(payload())).body.reason).toMatch(/off/)
    await h.services.apps.update(scope, { app, autoDeploy: true })
    await h.services.apps.stop(scope, { app })
    expect((await github(payload())).body.reason).toMatch(/stopped/)
  })

  it('is refused when it is no push event at all', async () => {
    expect((await github('not json')).status).toBe(400)
    expect((await github('{"ref":"refs/heads/main"}')).status).toBe(400)
  })
})

describe('what is not verified', () => {
  it('is refused and shown: a wrong signature, none, another provider’s', async () => {
    const body = payload()
    for (const headers of [
      { 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${hmac(body, 'wrong')}` },
      { 'x-github-event': 'push' },
      { 'x-github-event': 'push', 'x-gitlab-token': hook.secret },
      { 'x-gitlab-event': 'Push Hook', 'x-gitlab-token': 'wrong' },
      { 'x-gitea-event': 'push', 'x-gitea-signature': '' },
    ] as Record<string, string>[])
      expect((await send(headers, body)).status).toBe(401)
    expect(await builds()).toHaveLength(1)
    expect(await deliveries()).toHaveLength(5)
    expect((await deliveries()).every((row) => row.outcome === 'refused')).toBe(true)
  })

  it('cannot burn the delivery id of a real push', async () => {
    const body = payload()
    await send({ 'x-github-event': 'push', 'x-github-delivery': 'real', 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` }, body)
    expect((await github(body, { 'x-github-delivery': 'real' })).status).toBe(202)
  })

  it('is refused when the body changed by one byte', async () => {
    const body = payload()
    expect((await send({ 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${hmac(body)}` }, `${body} `)).status).toBe(401)
  })

  it('is refused over 1 MB, whether the length is declared or not, with the reason shown', async () => {
    const declared = await github('x'.repeat(1_000_001))
    expect(declared).toMatchObject({ status: 413, body: { reason: 'The body is over 1 MB.' } })
    let sent = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536
        controller.enqueue(new Uint8Array(65_536))
      },
    })
    expect((await send({ 'x-github-event': 'push' }, endless)).status).toBe(413)
    expect(sent).toBeLessThan(3_000_000)
    expect(await deliveries()).toMatchObject([{ status: 413 }, { status: 413 }])
  })

  it('is recorded only so often, and pushes out no real one', async () => {
    await github(payload())
    for (let i = 0; i < 40; i++) await send({ 'x-github-event': 'push' }, '{}')
    const rows = await h.db.delivery.findMany({ where: { webhookId } })
    expect(rows.filter((row) => row.outcome === 'refused').length).toBeLessThanOrEqual(20)
    expect(rows.filter((row) => row.outcome === 'accepted')).toHaveLength(1)
  })

  it('is 404 for an unknown webhook and for an app that is being deleted, and leaves no row', async () => {
    const body = payload()
    const headers = { 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${hmac(body)}` }
    const unknown = await h.services.webhooks.receive('whk_nope', new Request('http://x', { method: 'POST', headers, body }))
    expect(unknown.status).toBe(404)
    await h.services.apps.delete(scope, { app, confirm: app })
    expect((await send(headers, body)).status).toBe(404)
  })
})

it('a rotated secret ends the old one', async () => {
  const body = payload()
  const old = `sha256=${hmac(body)}`
  hook = await h.services.webhooks.rotateSecret(scope, { app })
  expect((await send({ 'x-github-event': 'push', 'x-hub-signature-256': old }, body)).status).toBe(401)
  expect((await github(body)).status).toBe(202)
})
