import type { views } from '@slipway/contracts'
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { json } from '../output'
import type { Action } from '../program'
import type { Session } from '../session'
import { Deadline, watchToTheEnd } from '../watch'
import { positive } from './create-app'

interface WaitOptions {
  wait?: boolean
  timeout: number
}

export const wholeNumber = (text: string): number => {
  if (!/^#?\d{1,9}$/.test(text) || Number(text.replace('#', '')) < 1) throw new InvalidArgumentError('It must be a number, as 12.')
  return Number(text.replace('#', ''))
}

export function deployCommands(program: Command, action: Action): void {
  program
    .command('deploy <app>')
    .description('build the newest commit of an app and deploy it; an app from an image is deployed again')
    .option('--wait', 'show the build and wait until it serves; exit code 1 when it does not')
    .option('--no-cache', 'run every step again')
    .option('--timeout <minutes>', 'how long to wait', positive, 30)
    .action(
      action(async (session, options: WaitOptions & { cache: boolean }, app: string) => {
        const client = await session.client()
        const org = await session.org()
        const view = await client.apps.get.query({ org, app })
        const deadline = new Deadline(options.timeout, session.signal)
        if (view.source === 'git') {
          const { number } = await client.builds.trigger.mutate({ org, app, noCache: !options.cache })
          return finish(session, view, { build: number, deployment: null }, options, deadline)
        }
        const { number } = await client.deployments.redeploy.mutate({ org, app })
        await finish(session, view, { build: null, deployment: number }, options, deadline)
      }),
    )

  program
    .command('rollback <app> [number]')
    .description('go back to an earlier deployment; without a number to the one before')
    .option('--wait', 'wait until it serves; exit code 1 when it does not')
    .option('--timeout <minutes>', 'how long to wait', positive, 30)
    .action(
      action(async (session, options: WaitOptions, app: string, text: string | undefined) => {
        const client = await session.client()
        const org = await session.org()
        const view = await client.apps.get.query({ org, app })
        const deadline = new Deadline(options.timeout, session.signal)
        const { number } = await client.deployments.rollback.mutate({ org, app, ...(text !== undefined && { number: wholeNumber(text) }) })
        await finish(session, view, { build: null, deployment: number }, options, deadline)
      }),
    )
}

async function finish(
  session: Session,
  app: views.AppView,
  started: { build: number | null; deployment: number | null },
  { wait }: WaitOptions,
  deadline: Deadline,
): Promise<void> {
  const what = started.build === null ? `Deployment #${started.deployment}` : `Build #${started.build}`
  if (!wait)
    return session.answer(
      { app: app.slug, url: app.url, ...started },
      () => `${what} of ${app.slug} has begun. It will serve at ${app.url}\n`,
    )
  const outcome = await watchToTheEnd(session, { org: await session.org(), app: app.slug }, started, deadline)
  session.io.out(session.wantsJson ? json({ app: app.slug, url: app.url, ...outcome }) : `${app.url}\n`)
}
