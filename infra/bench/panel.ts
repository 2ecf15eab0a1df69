/**
 * What the pages ask of the services, on an organization with 1,000 repositories, one of them with 10,000 tags:
 * `npm run bench -- panel`. Needs npm packages only.
 */
import { createHarness } from '@slipway/services/testing'
import { fillLarge } from '../../packages/services/src/testing/large'
import { contentCalls, historyCalls, peopleCalls } from './panel/calls'
import type { Figure } from './stats'

const ROUNDS = 15
/** What all images together answer may take longer than a list of them. */
const aimOf = (name: string) => (name.startsWith('where') ? '≤ 1 s' : '≤ 50 ms')

export async function panelFigures(say: (text: string) => void): Promise<Figure[]> {
  const h = await createHarness()
  try {
    const scope = await h.organization('Ada', 'acme')
    const { app } = await h.gitApp(scope, 'history')
    const { id: appId } = await h.db.app.findFirstOrThrow({ where: { slug: app } })
    say('panel: 1,000 repositories, 10,000 tags, 30,000 images …')
    await fillLarge(h.db, scope.organizationId, { builds: { appId, count: 5000 } })
    const { images, organizations, activity, apps, builds } = h.services
    const repository = 'large/history'
    const first = await images.tags(scope, { repository, limit: 50 })
    let deep = first.next
    for (let i = 0; i < 20 && deep; i++) deep = (await images.tags(scope, { repository, limit: 200, cursor: deep })).next
    const calls: Record<string, () => Promise<unknown>> = {
      'repositories, first page': () => images.repositories(scope, { limit: 50, sort: 'name', order: 'asc' }),
      'repositories, searched': () => images.repositories(scope, { limit: 50, sort: 'name', order: 'asc', query: 'vice-77' }),
      'repositories by size': () => images.repositories(scope, { limit: 50, sort: 'size', order: 'desc' }),
      'repositories by push': () => images.repositories(scope, { limit: 50, sort: 'pushed', order: 'desc' }),
      'repositories that run': () => images.repositories(scope, { limit: 50, sort: 'name', order: 'asc', running: true }),
      'repository of 10,000 tags': () => images.repository(scope, { repository }),
      'tags, first page': () => images.tags(scope, { repository, limit: 50 }),
      'tags, searched': () => images.tags(scope, { repository, limit: 50, query: '.77' }),
      'tags, page 80': () => images.tags(scope, { repository, limit: 50, cursor: deep ?? '' }),
      image: () => images.get(scope, { repository, reference: '1.50.7' }),
      search: () => organizations.search(scope, { query: 'service-5' }),
      organization: () => organizations.get(scope),
      'audit log': () => activity.list(scope, { limit: 50 }),
      apps: () => apps.list(scope),
      builds: () => builds.list(scope, { limit: 50 }),
      ...(await peopleCalls(h, scope)),
      ...(await contentCalls(h, scope)),
      ...(await historyCalls(h, scope)),
      'fingerprint of changes': () => h.services.changes.fingerprint(scope),
    }
    const figures: Figure[] = []
    for (const [name, call] of Object.entries(calls)) {
      const times: number[] = []
      for (let round = 0; round <= ROUNDS; round++) {
        const from = performance.now()
        await call()
        if (round > 0) times.push(performance.now() - from)
      }
      figures.push({ name: `panel: ${name}`, unit: 'ms', ours: times, aim: aimOf(name) })
    }
    return figures
  } finally {
    await h.close()
  }
}
