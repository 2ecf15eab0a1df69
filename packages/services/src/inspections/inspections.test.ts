import { inputs, keptDockerfile } from '@slipway/contracts'
import { claimInspection, finishInspection, forgetInspections, requestInspectionCancel } from '@slipway/db'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let scope: Scope
beforeAll(async () => {
  h = await createHarness()
  scope = await h.scope(await h.user('Ada', 'acme'), 'acme')
  await h.services.projects.create(scope, { name: 'Shop' })
})
afterAll(() => h.close())

const repository = { of: 'repository' as const, gitUrl: 'https://git.example.com/x.git', gitBranch: 'main', gitToken: 'ghp_very_secret' }
const result = {
  commit: { sha: 'a'.repeat(40), message: 'x' },
  dockerfiles: [],
  apps: [],
  refused: [],
  lookedFor: 'package.json',
}

describe('a look at a repository', () => {
  it('is on the queue, holds the token sealed, and forgets it when it is over', async () => {
    const { id } = await h.services.inspections.start(scope, repository)
    expect(await h.queues.inspect.getJob(id)).toBeTruthy()
    const row = await h.db.inspection.findUniqueOrThrow({ where: { id } })
    expect(Buffer.from(row.gitToken ?? []).toString('latin1')).not.toContain('secret')
    expect(h.deps.sealer.open(row.gitToken ?? new Uint8Array(), { kind: 'gitToken', organizationId: scope.organizationId, id })).toBe(
      repository.gitToken,
    )
    expect(await claimInspection(h.db, id)).toMatchObject({ state: 'running', attempt: 1 })
    expect(await claimInspection(h.db, id)).toBeNull()
    await finishInspection(h.db, id, 'succeeded', { result })
    expect(await h.services.inspections.get(scope, { id })).toMatchObject({ state: 'succeeded', result })
    expect((await h.db.inspection.findUniqueOrThrow({ where: { id } })).gitToken).toBeNull()
    expect(await finishInspection(h.db, id, 'failed')).toBe(false)
    const events = await h.services.activity.list(scope, { limit: 10 })
    expect(events.items[0]).toMatchObject({ action: 'repository.inspect', targetLabel: repository.gitUrl })
    expect(JSON.stringify(events)).not.toContain('secret')
  })

  it('takes the deploy key of an app over SSH, and refuses such an address before there is an app', async () => {
    const gitUrl = 'git@git.example:acme/ssh.git'
    const input = { org: 'acme', project: 'shop', source: 'git', name: 'by-ssh', gitUrl, gitToken: 'ghp_of_http' }
    const { app } = await h.services.apps.create(scope, inputs.createApp.parse(input))
    const { id } = await h.services.inspections.start(scope, { of: 'app', app })
    const row = await h.db.inspection.findUniqueOrThrow({ where: { id } })
    const { organizationId } = scope
    const key = h.deps.sealer.open(row.gitToken ?? new Uint8Array(), { kind: 'gitToken', organizationId, id })
    expect(key).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----/)
    await expect(h.services.inspections.start(scope, { of: 'repository', gitUrl, gitBranch: 'main' })).rejects.toMatchObject({
      code: 'INSPECTION_OVER_SSH',
    })
    await finishInspection(h.db, id, 'canceled')
  })

  it('takes the address and the token of an app', async () => {
    const { gitToken, gitUrl } = repository
    const { app } = await h.services.apps.create(
      scope,
      inputs.createApp.parse({ org: 'acme', project: 'shop', source: 'git', name: 'own', gitUrl, gitToken }),
    )
    const { id } = await h.services.inspections.start(scope, { of: 'app', app })
    const row = await h.db.inspection.findUniqueOrThrow({ where: { id } })
    expect(row.gitUrl).toBe(gitUrl)
    expect(h.deps.sealer.open(row.gitToken ?? new Uint8Array(), { kind: 'gitToken', organizationId: scope.organizationId, id })).toBe(
      gitToken,
    )
    await h.services.inspections.cancel(scope, { id })
  })

  it('is canceled before it runs, and while it runs by its next beat', async () => {
    const { id } = await h.services.inspections.start(scope, repository)
    expect(await h.services.inspections.cancel(scope, { id })).toMatchObject({ state: 'canceled' })
    const { id: other } = await h.services.inspections.start(scope, repository)
    await claimInspection(h.db, other)
    await requestInspectionCancel(h.db, scope.organizationId, other)
    expect((await h.db.inspection.findUniqueOrThrow({ where: { id: other } })).cancelRequestedAt).not.toBeNull()
    await finishInspection(h.db, other, 'canceled')
  })

  it('reads as failed when no worker takes it up, and is forgotten later', async () => {
    const { id } = await h.services.inspections.start(scope, repository)
    await h.db.inspection.update({ where: { id }, data: { createdAt: new Date(Date.now() - 4 * 60_000) } })
    expect(await h.services.inspections.get(scope, { id })).toMatchObject({ state: 'failed', error: { code: 'INSPECTION_TIMEOUT' } })
    await h.services.inspections.cancel(scope, { id })
    await forgetInspections(h.db, new Date())
    await expect(h.services.inspections.get(scope, { id })).rejects.toMatchObject({ code: 'INSPECTION_NOT_FOUND' })
  })

  it('is refused when too many wait', async () => {
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => h.services.inspections.start(scope, repository)))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
    for (const one of all)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'TOO_MANY_INSPECTIONS', kind: 'rate-limited' })
  })
})

describe('a Dockerfile that is kept with an app', () => {
  const dockerfile = {
    text: 'FROM scratch\n',
    ignore: 'x\n',
    when: 'always' as const,
    stack: ['Go 1.19'],
    evidence: [{ file: 'go.mod', fact: 'is module x' }],
  }

  it('is kept, changed, shown and removed', async () => {
    const { app } = await h.services.apps.create(
      scope,
      inputs.createApp.parse({ org: 'acme', project: 'shop', source: 'git', name: 'kept', gitUrl: repository.gitUrl, dockerfile }),
    )
    expect((await h.services.apps.get(scope, { app })).settings.dockerfile).toEqual(dockerfile)
    const text = 'FROM busybox\n'
    expect((await h.services.apps.update(scope, { app, dockerfile: { ...dockerfile, text } })).settings.dockerfile?.text).toBe(text)
    // What is not named stays.
    expect((await h.services.apps.update(scope, { app, name: 'Kept' })).settings.dockerfile?.text).toBe(text)
    expect((await h.services.apps.update(scope, { app, dockerfile: null })).settings.dockerfile).toBeNull()
  })

  it('is refused with a NUL, when it is empty, and when it is huge', async () => {
    for (const text of ['FROM a\0b', '', 'x'.repeat(70_000)]) expect(keptDockerfile.safeParse({ text }).success).toBe(false)
  })
})
