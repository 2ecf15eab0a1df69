/** Retention takes nothing that an app runs, or goes back to; what it may take is told where somebody would go back to it. */
import { randomBytes } from 'node:crypto'
import { newId } from '@slipway/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'
import { runOpenRetention } from './retention'

let h: Harness
let acme: Scope
let app: { id: string; slug: string }
const digests: string[] = []
beforeAll(async () => {
  h = await createHarness()
  acme = await h.organization('Ada', 'acme')
  await h.services.projects.create(acme, { name: 'Web' })
  const created = await h.gitApp(acme, 'shop')
  app = await h.db.app.findFirstOrThrow({ where: { slug: created.app }, select: { id: true, slug: true } })
  const { organizationId } = acme
  const { id: repositoryId } = await h.db.repository.create({ data: { id: newId('repository'), organizationId, name: 'shop' } })
  for (let number = 1; number <= 6; number++) {
    const [digest, at] = [`sha256:${randomBytes(32).toString('hex')}`, new Date(Date.now() - (100 - number) * 86_400_000)]
    digests.push(digest)
    const content = { mediaType: 'x', content: new Uint8Array(1), size: 1, totalSize: 1n, pushedBy: 'system:worker', createdAt: at }
    const manifest = await h.db.manifest.create({ data: { id: newId('manifest'), repositoryId, organizationId, digest, ...content } })
    const tag = { repositoryId, name: `build-${number}`, manifestId: manifest.id, pushedBy: 'system:worker', updatedAt: at }
    await h.db.tag.create({ data: tag })
    // #1 serves after a rollback to it, #5 never served.
    const { id } = await h.db.deployment.create({
      data: {
        id: newId('deployment'),
        organizationId,
        appId: app.id,
        number,
        kind: 'deploy',
        trigger: 'push',
        state: number === 1 ? 'serving' : number === 5 ? 'failed' : 'retired',
        actorLabel: 'Ada',
        imageReference: `slipway.local/acme/shop@${digest}`,
        imageDigest: digest,
        settings: {},
        environment: new Uint8Array(1),
      },
    })
    if (number === 1) await h.db.app.update({ where: { id: app.id }, data: { servingDeploymentId: id } })
  }
})
afterAll(() => h.close())

const RULES = { repositories: '*', keepLast: 1, keepUsedDays: null, keepTags: [], keepDeployments: 2, untaggedDays: 1 }

it('keeps what serves and the last ones, tells of the others, and of those whose image went', async () => {
  const preview = await h.services.policies.previewRetention(acme, { rules: RULES })
  expect(Object.fromEntries(preview.rows[0]?.tags.map((tag) => [tag.name, tag.kept]) ?? [])).toEqual({
    'build-1': 'deployed',
    'build-2': null,
    'build-3': null,
    'build-4': 'deployed',
    'build-5': null,
    'build-6': 'deployed',
  })
  const gone = async () =>
    (await h.services.deployments.list(acme, { app: app.slug, limit: 10 })).items.filter((d) => d.imageGone).map((d) => d.number)
  expect(await gone()).toEqual([])
  await h.services.policies.setRetention(acme, { rules: RULES, minute: 0 })
  await h.services.policies.runRetention(acme)
  await runOpenRetention(h.deps, new AbortController().signal)
  expect((await h.db.tag.findMany({ orderBy: { name: 'asc' } })).map((tag) => tag.name)).toEqual(['build-1', 'build-4', 'build-6'])
  expect((await h.db.manifest.findMany()).map((m) => digests.indexOf(m.digest) + 1).sort()).toEqual([1, 4, 6])
  expect(await gone()).toEqual([5, 3, 2])
})
