import type { Command } from 'commander'
import { usage } from '../errors'
import { facts, table } from '../output'
import type { Action } from '../program'
import { ago, commit, paintState } from '../text'
import { createAppCommand } from './create-app'

export function appCommands(program: Command, action: Action): void {
  const apps = program.command('apps').description('list apps')
  apps.action(
    action(async (session) => {
      const client = await session.client()
      const list = await client.apps.list.query({ org: await session.org() })
      session.answer(list, () =>
        list.length === 0
          ? 'No apps yet. Make one: slipway apps create --git <url>\n'
          : table(
              list,
              [
                { title: 'APP', value: (a) => a.slug },
                { title: 'PROJECT', value: (a) => a.project.slug },
                { title: 'STATE', value: (a) => a.state, paint: (text) => paintState(text, session.colors) },
                { title: 'ACTIVITY', value: (a) => a.activity },
                { title: 'URL', value: (a) => a.url },
              ],
              session.colors,
            ),
      )
    }),
  )
  createAppCommand(apps, action)

  apps
    .command('show <app>')
    .description('show one app')
    .action(
      action(async (session, _options: object, app: string) => {
        const client = await session.client()
        const view = await client.apps.get.query({ org: await session.org(), app })
        const { settings, serving } = view
        session.answer(view, () =>
          facts(
            [
              ['App', `${view.name} (${view.slug})`],
              ['State', `${view.state}, ${view.activity}`],
              ['URL', view.url],
              ['Source', settings.gitUrl ? `${settings.gitUrl} (${settings.gitBranch ?? 'main'})` : settings.imageReference],
              ['Commit', view.commit && commit(view.commit)],
              ['Serving', serving && `#${serving.number} since ${ago(serving.servingAt)}`],
              ['Image', serving?.image?.digest ?? null],
              ['Containers', serving?.containers.map((c) => `${c.name} on ${c.host} (${c.state})`).join(', ')],
            ],
            session.colors,
          ),
        )
      }),
    )

  for (const [verb, past] of [
    ['stop', 'is stopping'],
    ['start', 'is starting'],
  ] as const) {
    apps
      .command(`${verb} <app>`)
      .description(`${verb} an app`)
      .action(
        action(async (session, _options: object, app: string) => {
          const client = await session.client()
          const view = await client.apps[verb].mutate({ org: await session.org(), app })
          session.answer(view, () => `${view.slug} ${past}.\n`)
        }),
      )
  }

  apps
    .command('delete <app>')
    .description('delete an app with its containers, builds and volumes')
    .option('--confirm <app>', "the app's name again")
    .action(
      action(async (session, { confirm }: { confirm?: string }, app: string) => {
        const client = await session.client()
        const org = await session.org()
        if (confirm !== app) {
          const { removes } = await client.apps.get.query({ org, app })
          throw usage(
            `This removes ${removes.containers} containers, ${removes.builds} builds, ${removes.deployments} deployments${removes.volumes.length > 0 ? `, the volumes ${removes.volumes.join(', ')}` : ''}${removes.hostnames.length > 0 ? ` and ${removes.hostnames.join(', ')}` : ''}.`,
            `To do it: slipway apps delete ${app} --confirm ${app}`,
          )
        }
        const removed = await client.apps.delete.mutate({ org, app, confirm })
        session.answer(removed, () => `${app} is being deleted.\n`)
      }),
    )
}
