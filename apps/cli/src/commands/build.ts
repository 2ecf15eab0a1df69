/** `slipway build`: the files of this folder, built on the server. */
import { stat, writeFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { Context } from '@slipway/context'
import type { views } from '@slipway/contracts'
import { isBuildOver } from '@slipway/core'
import { type Command, InvalidArgumentError } from 'commander'
import { buildFile } from '../build-file'
import { buildArgs, buildContexts, buildSecrets, imageName } from '../build-options'
import { contextOf, type Sent, sum, upload } from '../build-upload'
import { CliError, EXIT, usage } from '../errors'
import { json, plain } from '../output'
import { formOf, type Output, readOutputs } from '../outputs/parse'
import type { Action } from '../program'
import { PlainProgress } from '../progress/plain'
import { type BuildProgress, MODES, type Mode } from '../progress/progress'
import { RawJsonProgress } from '../progress/rawjson'
import { TtyProgress } from '../progress/tty'
import type { Session } from '../session'
import { Deadline, watchToTheEnd } from '../watch'
import { onlyProject, positive } from './create-app'

interface Options {
  app?: string
  tag?: string
  file?: string
  target?: string
  platform?: string[]
  buildArg: string[]
  secret: string[]
  ssh: string[]
  buildContext: string[]
  output: string[]
  iidfile?: string
  metadataFile?: string
  quiet?: boolean
  printDockerfile?: boolean
  cache: boolean
  push?: boolean
  deploy?: boolean
  progress: Mode
  project?: string
  timeout: number
}

const collect = (value: string, list: string[]) => [...list, value]
const progressMode = (text: string): Mode => {
  const mode = MODES.find((one) => one === text)
  if (!mode) throw new InvalidArgumentError(`It is one of ${MODES.join(', ')}.`)
  return mode
}

const platformList = (text: string): string[] => [...new Set(text.split(',').map((platform) => platform.trim()))]

export function buildCommand(program: Command, action: Action): void {
  program
    .command('build [dir]')
    .description('build the files of a folder on the server; only what it does not have is sent')
    .option('--app <app>', 'app whose build it is; made when there is none (default: the name in -t, or of the folder)')
    .option('-t, --tag <name>', 'name of the image: <app>, <app>:<tag> or <org>/<app>:<tag>')
    .option('-f, --file <path>', 'Dockerfile (default: <dir>/Dockerfile)')
    .option('--target <stage>', 'stage to build')
    .option('--platform <list>', 'platforms of the image, separated by commas (default: the app’s, else the build host’s)', platformList)
    .option('--build-arg <key=value>', 'build argument, may be repeated', collect, [])
    .option('--secret <id=…,src=…|env=…>', 'secret for RUN --mount=type=secret, may be repeated', collect, [])
    .option(
      '--ssh <default|id[=socket|key[,key]]>',
      'agent of this machine, or keys, for RUN --mount=type=ssh and Git over SSH, may be repeated',
      collect,
      [],
    )
    .option('--build-context <name=value>', 'named context: a folder, docker-image://… or a Git address, may be repeated', collect, [])
    .option('-o, --output <dest>', 'image into files: a folder, or type=local|tar|oci|docker,dest=…, may be repeated', collect, [])
    .option('--iidfile <file>', 'write the image’s id there')
    .option('--metadata-file <file>', 'write what was built there, as JSON')
    .option('-q, --quiet', 'show nothing but the image’s id')
    .option('--print-dockerfile', 'show the Dockerfile that would be built, and build nothing')
    .option('--no-cache', 'run every step again')
    .option('--push', 'put the image into the registry')
    .option('--deploy', 'deploy the image, and wait until it serves')
    .option('--progress <mode>', `how it is shown: ${MODES.join(', ')}`, progressMode, 'auto')
    .option('--project <slug>', 'project of an app that is made')
    .option('--timeout <minutes>', 'how long to wait', positive, 60)
    .action(
      action(async (session, options: Options, dir: string | undefined) => {
        const name = imageName(options.tag)
        if (options.platform) (await import('../platforms')).checkPlatforms(options.platform)
        const org = await session.org()
        if (name.org !== null && name.org !== org)
          throw usage(`-t names the organization ${name.org}, but this is ${org}.`, `Add --org ${name.org}.`)
        const folder = resolve(dir ?? '.')
        if (!(await stat(folder).catch(() => null))?.isDirectory()) throw usage(`${plain(dir ?? '.')} is no folder.`)
        const file = await buildFile(session, folder, options.file)
        if (options.printDockerfile) return session.io.out(file.text)
        const outputs = readOutputs(options.output, session.io.isTty)
        const form = formOf(outputs)
        const push = (options.push ?? false) || outputs.some(({ type }) => type === 'registry')
        const mode = options.quiet ? 'quiet' : options.progress
        const secrets = await buildSecrets(session, options.secret)
        const ssh = options.ssh.length > 0 ? await import('../ssh-agents') : null
        const agents = await ssh?.sshAgents(session, options.ssh)
        const args = buildArgs(session, options.buildArg)
        const budget = { entries: 0, bytes: 0 }
        const contexts = [await contextOf(session, folder, file.ignore, budget)]
        const named: UploadInput['contexts'] = {}
        for (const [name, given] of await buildContexts(options.buildContext)) {
          if ('value' in given) {
            named[name] = given
            continue
          }
          const context = await contextOf(session, given.folder, given.ignore, budget)
          contexts.push(context)
          named[name] = { tree: `sha256:${context.root}` }
        }

        const deadline = new Deadline(options.timeout, session.signal)
        const make = (slug: string) => makeApp(session, org, slug, options.project)
        const sent = await upload(session, contexts, deadline, make, {
          org,
          app: slugOf(options.app ?? name.app ?? basename(folder)),
          tree: `sha256:${contexts[0]?.root}`,
          dockerfile: { path: file.path, text: file.text, origin: file.origin },
          ignore: file.ignore,
          buildArgs: args,
          secrets,
          ssh: [...(agents?.keys() ?? [])],
          contexts: named,
          noCache: !options.cache,
          push,
          deploy: options.deploy ?? false,
          ...(form && { form }),
          ...(name.tag !== null && { tag: name.tag }),
          ...(options.target !== undefined && { target: options.target }),
          ...(options.platform && { platforms: options.platform }),
        })
        const { app } = sent
        const target = { org, app }
        const answering = agents && (await ssh?.answerFor(session, { ...target, number: sent.number }, agents))
        const outcome = await watched(session, target, sent.number, deadline, progressOf(session, mode), options.deploy ?? false).finally(
          () => answering?.end(),
        )
        const image = push || options.deploy ? `slipway.local/${org}/${app}:${name.tag ?? 'latest'}` : null
        const built = {
          ...target,
          number: sent.number,
          platforms: platformsOf(outcome.build),
          name: image ?? `${app}:${name.tag ?? 'latest'}`,
        }
        if (outputs.length > 0) await (await import('../outputs/write')).writeOutputs(session, built, outputs, deadline.signal)
        if (file.origin.kind === 'generated')
          session.note(
            `The Dockerfile that was made is shown at ${await session.url()}/${org}/apps/${app}/builds/${sent.number}; --print-dockerfile prints it.`,
          )
        await tell(session, target, image, { ...options, progress: mode }, outcome, sent, contexts, outputs)
      }),
    )
}

const slugOf = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40) || 'app'

/** An app without a repository. */
async function makeApp(session: Session, org: string, name: string, project: string | undefined): Promise<string> {
  const client = await session.client()
  const created = await client.apps.create.mutate({ org, project: project ?? (await onlyProject(session, org)), source: 'upload', name })
  session.note(`App ${created.app} is new.`)
  return created.app
}

type UploadInput = Parameters<Awaited<ReturnType<Session['client']>>['builds']['upload']['mutate']>[0]

function progressOf(session: Session, mode: Mode): BuildProgress {
  const silent: BuildProgress = { update: () => undefined, end: () => undefined }
  if (session.wantsJson || mode === 'quiet') return silent
  const write = (text: string) => session.io.err(text)
  if (mode === 'rawjson') return new RawJsonProgress(write)
  const live = mode === 'tty' || (mode === 'auto' && session.io.isTty)
  return live ? new TtyProgress(write, session.colors, session.io.columns) : new PlainProgress(write)
}

/** To the end of the build, and of its deployment. Ctrl-C cancels the build on the server. */
async function watched(
  session: Session,
  target: { org: string; app: string },
  number: number,
  deadline: Deadline,
  progress: BuildProgress,
  deploy: boolean,
) {
  try {
    return await watchToTheEnd(session, target, { build: number, deployment: null }, deadline, { progress, deploy })
  } catch (error) {
    if (!session.signal.aborted) throw error
    const client = await session.client()
    const view = await client.builds.cancel.mutate({ ...target, number }).catch(() => null)
    const what = view && isBuildOver(view.state) ? 'is canceled' : view ? 'is being canceled' : 'was over already'
    throw new CliError(EXIT.interrupted, 'INTERRUPTED', `Build #${number} ${what}.`)
  }
}

/** Of a build for several; their names are in the steps. */
const platformsOf = (build: views.BuildView | null): string[] =>
  build?.steps.some(({ platform }) => platform !== null) ? build.platform.split(', ') : []

async function tell(
  session: Session,
  target: { org: string; app: string },
  image: string | null,
  options: Options,
  { build, deployment }: { build: views.BuildView | null; deployment: views.DeploymentView | null },
  { number, bytes }: Sent,
  contexts: readonly Context[],
  outputs: readonly Output[],
): Promise<void> {
  const client = await session.client()
  const url = options.deploy ? (await client.apps.get.query(target)).url : null
  const wantsId = options.iidfile !== undefined || options.metadataFile !== undefined || options.quiet === true
  const imageId = wantsId ? (await client.builds.made.query({ ...target, number })).imageId : undefined
  const digest = build?.image?.digest
  if (options.iidfile !== undefined && imageId) await writeFile(options.iidfile, imageId)
  if (options.metadataFile !== undefined)
    await writeFile(
      options.metadataFile,
      json({
        'containerimage.config.digest': imageId,
        ...(digest && { 'containerimage.digest': digest }),
        ...(image && { 'image.name': image }),
      }),
    )
  const sent = { bytes, files: sum(contexts, 'entries'), context: sum(contexts, 'bytes') }
  // What was asked for may be going there.
  const out = outputs.some((output) => 'dest' in output && output.dest === '-') ? session.io.err : session.io.out
  if (session.wantsJson) return out(json({ app: target.app, build, deployment, image, url, sent, ...(imageId && { imageId }) }))
  if (options.quiet) return out(`${imageId}\n`)
  if (image) out(`${image}${digest ? `@${digest}` : ''}\n`)
  if (url) out(`${url}\n`)
  if (!image && outputs.length === 0 && options.progress !== 'quiet') session.note('Built. To keep the image, add --push, --deploy or -o.')
}
