import { APPS, type AppVerb } from '../table'
import type { Hand, World } from '../world'
import { attempt, firstOf } from './refusal'

type Api = Awaited<ReturnType<World['caller']>>
const PLACES: Record<string, { app: string; project: string }> = {
  s: { app: 'store', project: 'shop' },
  t: { app: 'thing', project: 'other' },
}

const hand =
  (call: (api: Api, place: { org: 'acme'; app: string; project: string }) => Promise<unknown>, done: string[] = []): Hand =>
  async (world, person, letter) => {
    const place = { org: 'acme' as const, app: '', project: '', ...PLACES[letter] }
    return attempt(world, person, APPS.app[person].includes(letter), (api) => call(api, place), done)
  }
const extra = { kind: 'user' as const, email: 'extra@example.com' }
const MODE = { scope: 'runtime' as const, key: 'MODE', value: 'dark', secret: false }

export const hands: Record<AppVerb, Hand> = {
  app: hand((api, { org, app }) => api.apps.get({ org, app })),
  'watch app': hand((api, { org, app }) => firstOf(api.apps.watch({ org, app }))),
  log: hand((api, { org, app }) => api.builds.logs({ org, app, number: 1 })),
  builds: hand((api, { org, app }) => api.builds.list({ org, app, limit: 5 })),
  variables: hand((api, { org, app }) => api.apps.variables({ org, app })),
  // Without an error: the names are there, the values are not.
  values: hand(async (api, { org, app }) => (await api.apps.variables({ org, app })).some(({ value }) => value === MODE.value)),
  // Of a build that forwards none; who started one that does is in services' ssh.test.ts.
  'hear an SSH agent’s questions': hand((api, { org, app }) => firstOf(api.builds.sshRequests({ org, app, number: 1 }))),
  'answer for an SSH agent': hand((api, { org, app }) =>
    api.builds.sshAnswer({ org, app, number: 1, ask: '00000000-0000-4000-8000-000000000000', message: 'BQ==' }),
  ),
  'change app': hand((api, { org, app }) => api.apps.update({ org, app, healthPath: '/' })),
  'set variables': hand((api, { org, app }) => api.apps.setVariables({ org, app, variables: [MODE] })),
  stop: hand((api, { org, app }) => api.apps.stop({ org, app }), ['CONFLICT']),
  webhook: hand((api, { org, app }) => api.apps.webhook({ org, app })),
  'new webhook secret': hand((api, { org, app }) => api.apps.rotateWebhookSecret({ org, app })),
  'who may': hand((api, { org, project }) => api.access.project({ org, project })),
  'give a role': hand((api, { org, project }) => api.access.grantOnProject({ org, project, role: 'guest', to: extra })),
}
