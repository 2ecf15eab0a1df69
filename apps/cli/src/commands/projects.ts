import type { Command } from 'commander'
import { table } from '../output'
import type { Action } from '../program'
import { ago } from '../text'

export function projectCommands(program: Command, action: Action): void {
  const projects = program.command('projects').description('list projects')
  projects.action(
    action(async (session) => {
      const client = await session.client()
      const list = await client.projects.list.query({ org: await session.org() })
      session.answer(list, () =>
        list.length === 0
          ? 'No projects yet. Make one: slipway projects create <name>\n'
          : table(
              list,
              [
                { title: 'PROJECT', value: (p) => p.slug },
                { title: 'NAME', value: (p) => p.name },
                { title: 'APPS', value: (p) => String(p.apps.length), right: true },
                { title: 'LIVE', value: (p) => String(p.apps.filter((a) => a.state === 'live').length), right: true },
                { title: 'CREATED', value: (p) => ago(p.createdAt) },
              ],
              session.colors,
            ),
      )
    }),
  )
  projects
    .command('create <name>')
    .description('create a project')
    .action(
      action(async (session, _options: object, name: string) => {
        const client = await session.client()
        const created = await client.projects.create.mutate({ org: await session.org(), name })
        session.answer(created, () => `Project ${created.slug} is there.\n`)
      }),
    )
}
