/**
 * @typedef {{ name: string, href: string, everywhere?: boolean }} Shot `everywhere`: in the dark and on a phone too.
 */

/** A build says most when some of its steps ran and some did not. @param {{ totalSteps: number, cachedSteps: number }} build */
const mixture = ({ totalSteps, cachedSteps }) => Math.min(cachedSteps, totalSteps - cachedSteps)

/**
 * The pages of an organization that are worth a picture, found over the API.
 * @param {import('playwright-core').APIRequestContext} request
 * @param {string} org
 * @returns {Promise<Shot[]>}
 */
export async function findPages(request, org) {
  /** @param {string} procedure @param {Record<string, unknown>} input */
  const ask = async (procedure, input) => {
    const query = encodeURIComponent(JSON.stringify({ json: { org, ...input } }))
    const response = await request.get(`/api/trpc/${procedure}?input=${query}`)
    if (!response.ok()) throw new Error(`${procedure} answered ${response.status()}`)
    return (await response.json()).result.data.json
  }
  /** @type {Shot[]} */
  const shots = [
    { name: 'overview', href: `/${org}`, everywhere: true },
    { name: 'apps', href: `/${org}/apps` },
    { name: 'new-app', href: `/${org}/apps/new` },
    { name: 'builds', href: `/${org}/builds` },
    { name: 'images', href: `/${org}/images` },
    { name: 'storage', href: `/${org}/storage`, everywhere: true },
    { name: 'where-used', href: `/${org}/where-used?kind=file&q=sh` },
    { name: 'hosts', href: `/${org}/hosts` },
    { name: 'activity', href: `/${org}/activity` },
    { name: 'settings', href: `/${org}/settings` },
    { name: 'settings-members', href: `/${org}/settings/members` },
    { name: 'settings-webhooks', href: `/${org}/settings/webhooks` },
    { name: 'settings-robots', href: `/${org}/settings/robots` },
    { name: 'settings-upstreams', href: `/${org}/settings/upstreams` },
    { name: 'settings-teams', href: `/${org}/settings/teams` },
    { name: 'shared', href: '/-/shared' },
    { name: 'account', href: `/account?from=${org}` },
  ]

  /** @type {{ slug: string, state: string, source: string }[]} */
  const apps = await ask('apps.list', {})
  const app = apps.find((a) => a.state === 'live' && a.source === 'git') ?? apps[0]
  if (app) {
    const base = `/${org}/apps/${app.slug}`
    shots.push({ name: 'app', href: base, everywhere: true })
    for (const tab of ['deployments', 'builds', 'logs', 'variables', 'settings']) shots.push({ name: `app-${tab}`, href: `${base}/${tab}` })
    const deployments = await ask('deployments.list', { app: app.slug, limit: 1 })
    if (deployments.items[0]) shots.push({ name: 'deployment', href: `${base}/deployments/${deployments.items[0].number}` })
  }

  /** @type {{ items: { number: number, state: string, app: { slug: string }, totalSteps: number, cachedSteps: number }[] }} */
  const builds = await ask('builds.list', { limit: 100 })
  const built = builds.items.filter((b) => b.state === 'succeeded').sort((a, b) => mixture(b) - mixture(a))[0]
  const failed = builds.items.find((b) => b.state === 'failed')
  if (built) shots.push({ name: 'build', href: `/${org}/apps/${built.app.slug}/builds/${built.number}`, everywhere: true })
  if (failed) shots.push({ name: 'build-failed', href: `/${org}/apps/${failed.app.slug}/builds/${failed.number}` })

  /** @type {{ items: { name: string, tags: number, size: number }[] }} */
  const repositories = await ask('images.repositories', { limit: 100 })
  // Two of its images are compared.
  const repository = repositories.items.sort((a, b) => Number(b.tags > 1) - Number(a.tags > 1) || b.size - a.size)[0]
  if (repository) {
    shots.push({ name: 'repository', href: `/${org}/images/${repository.name}` })
    shots.push({ name: 'repository-access', href: `/${org}/images/${repository.name}/-/access` })
    /** @type {{ items: { name: string, digest: string }[] }} */
    const tags = await ask('images.tags', { repository: repository.name, limit: 50 })
    const newest = tags.items[0]
    // The oldest differs most; a build's own tag names the same image as its branch does.
    const before = tags.items.findLast((tag) => tag.digest !== newest?.digest)
    if (newest) {
      const image = `/${org}/images/${repository.name}:${newest.name}`
      shots.push({ name: 'image', href: image, everywhere: true })
      shots.push({ name: 'image-files', href: `${image}/-/files`, everywhere: true })
      const other = before ? `?with=${encodeURIComponent(`${repository.name}:${before.name}`)}` : ''
      shots.push({ name: 'image-compare', href: `${image}/-/compare${other}` })
    }
  }
  return shots
}
