/** builds, deployments, ps, open, status: reads. */
import { spawn } from 'node:child_process'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import type { Command } from 'commander'
import { facts, plain, table } from '../output'
import type { Action } from '../program'
import type { Session } from '../session'
import { ago, commit, duration, errorText, paintState } from '../text'
import { wholeNumber } from './deploy'

export function listCommands(program: Command, action: Action): void {
  program
    .command('builds <app> [number]')
    .description('list the builds of an app, or show the steps and the log of one')
    .option('--limit <number>', 'how many', wholeNumber, 20)
    .action(
      action(async (session, { limit }: { limit: number }, app: string, number: string | undefined) => {
        const client = await session.client()
        const org = await session.org()
        if (number !== undefined) return showBuild(session, org, app, wholeNumber(number))
        const page = await client.builds.list.query({ org, app, limit: Math.min(limit, 100) })
        session.answer(page.items, () =>
          page.items.length === 0
            ? `${app} has no builds yet.\n`
            : table(
                page.items,
                [
                  { title: 'BUILD', value: (b) => `#${b.number}` },
                  { title: 'STATE', value: (b) => b.state, paint: (text) => paintState(text, session.colors) },
                  { title: 'CACHED', value: (b) => `${b.cachedSteps}/${b.totalSteps}`, right: true },
                  { title: 'TIME', value: (b) => duration(b.durationMs), right: true },
                  { title: 'QUEUED', value: (b) => ago(b.queuedAt) },
                  { title: 'BY', value: (b) => b.actor },
                  { title: 'COMMIT', value: (b) => commit(b.commit) },
                ],
                session.colors,
              ),
        )
      }),
    )

  program
    .command('deployments <app>')
    .description('list the deployments of an app; those marked * can be rolled back to')
    .option('--limit <number>', 'how many', wholeNumber, 20)
    .action(
      action(async (session, { limit }: { limit: number }, app: string) => {
        const client = await session.client()
        const page = await client.deployments.list.query({ org: await session.org(), app, limit: Math.min(limit, 100) })
        session.answer(page.items, () =>
          page.items.length === 0
            ? `${app} has no deployments yet.\n`
            : table(
                page.items,
                [
                  { title: 'DEPLOYMENT', value: (d) => `#${d.number}${d.canRollBack ? ' *' : ''}` },
                  { title: 'KIND', value: (d) => (d.source === null ? d.kind : `${d.kind} to #${d.source}`) },
                  { title: 'STATE', value: (d) => d.state, paint: (text) => paintState(text, session.colors) },
                  { title: 'TIME', value: (d) => duration(d.durationMs), right: true },
                  { title: 'QUEUED', value: (d) => ago(d.queuedAt) },
                  { title: 'BY', value: (d) => d.actor },
                  { title: 'COMMIT', value: (d) => (d.commit ? commit(d.commit) : d.imageReference) },
                ],
                session.colors,
              ),
        )
      }),
    )

  program
    .command('ps [app]')
    .description('list the containers that serve')
    .action(
      action(async (session, _options: object, app: string | undefined) => {
        const client = await session.client()
        const org = await session.org()
        const slugs = app === undefined ? (await client.apps.list.query({ org })).map((a) => a.slug) : [app]
        const apps = await Promise.all(slugs.map((slug) => client.apps.get.query({ org, app: slug })))
        const rows = apps.flatMap((view) =>
          (view.serving?.containers ?? []).map((container) => ({ app: view.slug, deployment: view.serving?.number ?? 0, container })),
        )
        session.answer(rows, () =>
          rows.length === 0
            ? 'No containers are running.\n'
            : table(
                rows,
                [
                  { title: 'APP', value: (r) => r.app },
                  { title: 'DEPLOYMENT', value: (r) => `#${r.deployment}` },
                  { title: 'CONTAINER', value: (r) => r.container.engineId.slice(0, 12) },
                  { title: 'STATE', value: (r) => stateOf(r.container), paint: (text) => paintState(text, session.colors) },
                  { title: 'SINCE', value: (r) => ago(r.container.startedAt) },
                  { title: 'HOST', value: (r) => r.container.host },
                  { title: 'ADDRESS', value: (r) => (r.container.address ? `${r.container.address}:${r.container.port}` : '–') },
                ],
                session.colors,
              ),
        )
      }),
    )

  program
    .command('open <app>')
    .description("open an app's address in the browser")
    .option('--print', 'only print it')
    .action(
      action(async (session, { print }: { print?: boolean }, app: string) => {
        const client = await session.client()
        const { url } = await client.apps.get.query({ org: await session.org(), app })
        session.answer({ url }, () => `${url}\n`)
        if (!print && !session.wantsJson && session.io.isTty) await openBrowser(session, url)
      }),
    )

  program
    .command('status')
    .description('show the state and version of each part of the server')
    .action(
      action(async (session) => {
        const health = await (await session.client()).system.health.query()
        session.answer(health, () =>
          table(
            health.parts,
            [
              { title: 'PART', value: (p) => p.name },
              { title: 'STATE', value: (p) => p.state, paint: (text) => paintState(text, session.colors) },
              { title: 'VERSION', value: (p) => p.version ?? '–' },
              { title: 'DETAIL', value: (p) => p.detail ?? '' },
            ],
            session.colors,
          ),
        )
      }),
    )
}

function stateOf({ state, exitCode, oomKilled }: views.ContainerView): string {
  if (state !== 'exited') return state
  return oomKilled ? 'out of memory' : `exited (${exitCode ?? '?'})`
}

const LOG_PAGE = 5000

const pullRequestText = ({ number, kind, title, fromFork }: views.PullRequestView) =>
  `${kind === 'merge' ? '!' : '#'}${number}${fromFork ? ' from a fork' : ''}, not published: ${title}`

async function showBuild(session: Session, org: string, app: string, number: number): Promise<void> {
  const client = await session.client()
  const build = await client.builds.get.query({ org, app, number })
  const logs: views.LogChunkView[] = []
  for (let after = 0; ; ) {
    const chunks = await client.builds.logs.query({ org, app, number, after, limit: LOG_PAGE })
    logs.push(...chunks)
    after = chunks.at(-1)?.seq ?? after
    if (chunks.length < LOG_PAGE) break
  }
  const { colors } = session
  session.answer({ ...build, logs }, () => {
    const head = facts(
      [
        ['Build', `#${build.number} of ${build.app.slug}`],
        ['State', build.state],
        ['Pull request', build.pullRequest && pullRequestText(build.pullRequest)],
        ['Commit', build.commit && `${commit(build.commit)} (${build.commit.branch})`],
        ['Time', build.durationMs === null ? null : `${duration(build.durationMs)}, queued ${ago(build.queuedAt)}`],
        ['Image', build.image && `${build.image.repository}@${build.image.digest}`],
      ],
      colors,
    )
    const steps =
      build.steps.length === 0
        ? ''
        : `\n${table(
            build.steps,
            [
              { title: '#', value: (s) => String(s.position), right: true },
              { title: 'STATE', value: (s) => s.state, paint: (text) => paintState(text, colors) },
              { title: 'TIME', value: (s) => duration(s.durationMs), right: true },
              { title: 'LAYER', value: (s) => (s.layerSize === null ? '' : formatBytes(s.layerSize)), right: true },
              { title: 'STEP', value: (s) => s.name },
            ],
            colors,
          )}`
    const text = logs.map((chunk) => plain(chunk.text)).join('')
    const error = build.error ? `\n${plain(errorText(build.error, { ...colors, bad: (t) => t }))}\n` : ''
    return `${head}${steps}${text ? `\n${text.endsWith('\n') ? text : `${text}\n`}` : ''}${error}`
  })
}

/** The address came from the server, so it is checked, and handed over as one argument, never through a shell. */
async function openBrowser(session: Session, url: string): Promise<void> {
  const parsed = new URL(url)
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') return
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open'
  await new Promise<void>((resolve) => {
    const child = spawn(program, [parsed.href], { stdio: 'ignore', detached: true })
    child.on('error', () => {
      session.note('No browser could be started here; open the address yourself.')
      resolve()
    })
    child.on('spawn', () => {
      child.unref()
      resolve()
    })
  })
}
