/** `slipway build`: the files of this folder, built on the server. */
import { stat } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { type Context, StatCache, Uploader, walkContext } from '@slipway/context'
import { inputs, type views } from '@slipway/contracts'
import { formatBytes, isBuildOver } from '@slipway/core'
import { checkDockerfile, createIgnoreMatcher, DockerfileError, formatDockerfileError, LIMITS } from '@slipway/dockerfile'
import { TRPCClientError } from '@trpc/client'
import { type Command, InvalidArgumentError } from 'commander'
import { buildArgs, buildSecrets, ignoreText, imageName, readText, sshKeys } from '../build-options'
import { CliError, EXIT, usage } from '../errors'
import { json, plain } from '../output'
import type { Action } from '../program'
import { PlainProgress } from '../progress/plain'
import { type BuildProgress, MODES, type Mode } from '../progress/progress'
import { RawJsonProgress } from '../progress/rawjson'
import { TtyProgress } from '../progress/tty'
import type { Session } from '../session'
import { contextTarget } from '../upload'
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

const platformList = (text: string): string[] => {
  const list = inputs.platforms.safeParse([...new Set(text.split(',').map((platform) => platform.trim()))])
  if (list.success) return list.data
  throw new InvalidArgumentError(list.error.issues[0]?.message ?? 'Write linux/amd64,linux/arm64.')
}

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
    .option('--ssh <default|id=key file>', 'key for RUN --mount=type=ssh and Git over SSH, may be repeated', collect, [])
    .option('--no-cache', 'run every step again')
    .option('--push', 'put the image into the registry')
    .option('--deploy', 'deploy the image, and wait until it serves')
    .option('--progress <mode>', `how it is shown: ${MODES.join(', ')}`, progressMode, 'auto')
    .option('--project <slug>', 'project of an app that is made')
    .option('--timeout <minutes>', 'how long to wait', positive, 60)
    .action(
      action(async (session, options: Options, dir: string | undefined) => {
        const name = imageName(options.tag)
        const org = await session.org()
        if (name.org !== null && name.org !== org)
          throw usage(`-t names the organization ${name.org}, but this is ${org}.`, `Add --org ${name.org}.`)
        const folder = resolve(dir ?? '.')
        if (!(await stat(folder).catch(() => null))?.isDirectory()) throw usage(`${plain(dir ?? '.')} is no folder.`)
        const file = await dockerfileOf(folder, options.file)
        const secrets = await buildSecrets(session, options.secret)
        const ssh = await sshKeys(session, options.ssh)
        const args = buildArgs(session, options.buildArg)
        const context = await contextOf(session, folder, file.ignore)

        const app = await appOf(session, org, options.app ?? name.app ?? basename(folder), options.project)
        const deadline = new Deadline(options.timeout, session.signal)
        const { uploader, number } = await upload(session, org, context, deadline, {
          org,
          app,
          tree: `sha256:${context.root}`,
          dockerfile: { path: file.path, text: file.text },
          ignore: file.ignore,
          buildArgs: args,
          secrets,
          ssh,
          noCache: !options.cache,
          push: options.push ?? false,
          deploy: options.deploy ?? false,
          ...(name.tag !== null && { tag: name.tag }),
          ...(options.target !== undefined && { target: options.target }),
          ...(options.platform && { platforms: options.platform }),
        })
        const target = { org, app }
        const outcome = await watched(session, target, number, deadline, progressOf(session, options.progress), options.deploy ?? false)
        await tell(session, target, name.tag ?? 'latest', options, outcome, uploader, context)
      }),
    )
}

/** The Dockerfile's text, and what leaves files out. */
async function dockerfileOf(folder: string, given: string | undefined) {
  const file = given === undefined ? join(folder, 'Dockerfile') : resolve(given)
  const path = relative(folder, file).startsWith('..') ? basename(file) : relative(folder, file)
  const text = await readText(file, LIMITS.fileLength)
  const hint = 'Name a Dockerfile with --file, or a folder that holds one.'
  if (text === null) throw new CliError(EXIT.notFound, 'DOCKERFILE_NOT_FOUND', `There is no ${plain(given ?? file)}.`, hint)
  const ignore = await ignoreText(folder, file, LIMITS.ignoreFileLength)
  try {
    const broken = checkDockerfile(text, { file: path, ignore: createIgnoreMatcher(ignore) }).find(({ severity }) => severity === 'error')
    if (broken)
      throw new CliError(
        EXIT.failed,
        broken.rule,
        plain(`${path}:${broken.line ?? 1}: ${broken.message}`),
        broken.hint ? plain(broken.hint) : undefined,
      )
  } catch (error) {
    if (error instanceof DockerfileError) throw new CliError(EXIT.failed, error.code, plain(formatDockerfileError(error)))
    throw error
  }
  return { path, text, ignore }
}

async function contextOf(session: Session, folder: string, ignore: string): Promise<Context> {
  const cache = await StatCache.open(session.env.cacheDir, folder)
  const context = await walkContext(folder, createIgnoreMatcher(ignore), session.signal, { cache })
  await cache.save(folder)
  return context
}

/** The app of this name; a new one, without a repository, when there is none. */
async function appOf(session: Session, org: string, name: string, project: string | undefined): Promise<string> {
  const client = await session.client()
  const slug =
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 40) || 'app'
  try {
    return (await client.apps.get.query({ org, app: slug })).slug
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  const created = await client.apps.create.mutate({
    org,
    project: project ?? (await onlyProject(session, org)),
    source: 'upload',
    name: slug,
  })
  session.note(`App ${created.app} is new.`)
  return created.app
}

const isNotFound = (error: unknown) =>
  error instanceof TRPCClientError && (error.data as { app?: { code?: string } } | null)?.app?.code === 'APP_NOT_FOUND'

type UploadInput = Parameters<Awaited<ReturnType<Session['client']>>['builds']['upload']['mutate']>[0]
/** What was there when it was asked for may be collected before the build begins. */
const COMMITS = 4

/** Sends what is missing and begins the build. */
async function upload(session: Session, org: string, context: Context, deadline: Deadline, input: UploadInput) {
  const client = await session.client()
  const live = session.io.isTty && !session.wantsJson
  const uploader = new Uploader(contextTarget(session, org, deadline.signal), deadline.signal, ({ done, total }) => {
    if (live && total > 0) session.io.err(`\r\x1b[K[+] Sending ${formatBytes(done)} of ${formatBytes(total)}`)
  })
  try {
    await uploader.run(context)
    for (let attempt = 1; ; attempt++) {
      try {
        const { number } = await client.builds.upload.mutate(input, { signal: deadline.signal })
        if (live) session.io.err('\r\x1b[K')
        const all = `${context.entries.toLocaleString('en')} files, ${formatBytes(context.bytes)}`
        session.note(`Sent ${formatBytes(uploader.sent)} of ${all} (${uploader.sent} bytes); build #${number} of ${input.app}.`)
        return { uploader, number }
      } catch (error) {
        const missing = attempt < COMMITS ? missingOf(error) : null
        if (!missing) throw error
        await uploader.send(context, missing)
      }
    }
  } catch (error) {
    if (session.signal.aborted)
      throw new CliError(EXIT.interrupted, 'INTERRUPTED', 'Interrupted before the build began; what was sent is there the next time.')
    deadline.check('The upload')
    throw error
  }
}

function missingOf(error: unknown): { trees: string[]; blobs: string[] } | null {
  if (!(error instanceof TRPCClientError)) return null
  const app = (error.data as { app?: { code?: string; details?: { missing?: unknown } } } | null)?.app
  if (app?.code !== 'CONTEXT_INCOMPLETE') return null
  const missing = app.details?.missing as { trees?: unknown; blobs?: unknown } | undefined
  const texts = (list: unknown) => (Array.isArray(list) ? list.filter((one): one is string => typeof one === 'string') : [])
  return { trees: texts(missing?.trees), blobs: texts(missing?.blobs) }
}

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

async function tell(
  session: Session,
  target: { org: string; app: string },
  tag: string,
  options: Options,
  { build, deployment }: { build: views.BuildView | null; deployment: views.DeploymentView | null },
  uploader: Uploader,
  context: Context,
): Promise<void> {
  const client = await session.client()
  const url = options.deploy ? (await client.apps.get.query(target)).url : null
  const image = options.push || options.deploy ? `slipway.local/${target.org}/${target.app}:${tag}` : null
  const sent = { bytes: uploader.sent, files: context.entries, context: context.bytes }
  if (session.wantsJson) return session.io.out(json({ app: target.app, build, deployment, image, url, sent }))
  if (image) session.io.out(`${image}${build?.image ? `@${build.image.digest}` : ''}\n`)
  if (url) session.io.out(`${url}\n`)
  if (!image && options.progress !== 'quiet') session.note('Built. To keep the image, add --push or --deploy.')
}
