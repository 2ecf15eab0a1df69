import type { RouterInputs } from '@slipway/api'
import { type Command, InvalidArgumentError } from 'commander'
import { usage } from '../errors'
import { json } from '../output'
import type { Action } from '../program'
import type { Session } from '../session'
import { Deadline, watchToTheEnd } from '../watch'

interface Options {
  git?: string
  image?: string
  project?: string
  branch?: string
  dockerfile?: string
  context?: string
  target?: string
  port?: number
  health?: string
  env?: string[]
  buildArg?: string[]
  secret?: string[]
  memory?: number
  cpus?: number
  tokenStdin?: boolean
  wait?: boolean
  timeout: number
}

type CreateInput = RouterInputs['apps']['create']
type Variable = NonNullable<CreateInput['variables']>[number]

const collect = (value: string, list: string[] = []) => [...list, value]
export const positive = (text: string): number => {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number greater than 0.')
  return value
}
/** `512m`, `1g`, `1.5GiB` → bytes. */
function bytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?$/i.exec(text)
  if (!match) throw new InvalidArgumentError('Write it as 512m or 1g.')
  return Math.round(Number(match[1]) * 1024 ** ['', 'k', 'm', 'g'].indexOf((match[2] ?? '').toLowerCase()))
}

export function createAppCommand(apps: Command, action: Action): void {
  apps
    .command('create [name]')
    .description('create an app from a Git repository or an image; it is built and deployed at once')
    .option('--git <url>', 'http(s) address of the repository')
    .option('--image <reference>', 'image instead of a repository, as nginx:1 or slipway.local/<org>/<name>:<tag>')
    .option('--project <slug>', 'project; default: the only one there is')
    .option('--branch <name>', 'branch (main)')
    .option('--dockerfile <path>', 'path of the Dockerfile (Dockerfile)')
    .option('--context <path>', 'folder that COPY reads from (.)')
    .option('--target <stage>', 'stage to build')
    .option('--port <number>', 'port the app listens on; default: what the image EXPOSEs', positive)
    .option('--health <path>', 'path that answers when the app is well (/)')
    .option('--env <key=value>', 'environment variable, may be repeated', collect)
    .option(
      '--secret <key>',
      'secret environment variable, its value is read from the environment of this command; may be repeated',
      collect,
      [],
    )
    .option('--build-arg <key=value>', 'build argument, may be repeated', collect)
    .option('--memory <size>', 'memory limit, as 512m', bytes)
    .option('--cpus <number>', 'CPU limit, as 0.5', positive)
    .option('--token-stdin', 'read an access token for the repository from stdin')
    .option('--wait', 'wait until it serves')
    .option('--timeout <minutes>', 'how long to wait', positive, 30)
    .action(
      action(async (session, options: Options, name: string | undefined) => {
        const org = await session.org()
        const input = await createInput(session, org, options, name)
        const client = await session.client()
        const deadline = new Deadline(options.timeout, session.signal)
        const created = await client.apps.create.mutate(input)
        if (!options.wait) {
          const begun = created.build === null ? `deployment #${created.deployment}` : `build #${created.build}`
          const where = `slipway ${created.build === null ? 'deployments' : 'builds'} ${created.app}`
          return session.answer(created, () => `App ${created.app} is there; ${begun} has begun.\nLook at it: ${where}\n`)
        }
        session.note(`App ${created.app} is there.`)
        const outcome = await watchToTheEnd(session, { org, app: created.app }, created, deadline)
        const { url } = await client.apps.get.query({ org, app: created.app })
        session.io.out(session.wantsJson ? json({ ...created, ...outcome, url }) : `${url}\n`)
      }),
    )
}

async function createInput(session: Session, org: string, options: Options, given: string | undefined): Promise<CreateInput> {
  if ((options.git === undefined) === (options.image === undefined)) throw usage('Give either --git or --image.')
  const project = options.project ?? (await onlyProject(session, org))
  const common = {
    org,
    project,
    variables: variables(session, options),
    ...(options.port !== undefined && { port: options.port }),
    ...(options.health !== undefined && { healthPath: options.health }),
    ...(options.memory !== undefined && { memoryLimitBytes: options.memory }),
    ...(options.cpus !== undefined && { cpuLimitMillis: Math.round(options.cpus * 1000) }),
  }
  if (options.image !== undefined) {
    const wrong = (['branch', 'dockerfile', 'context', 'target', 'tokenStdin'] as const).find((key) => options[key] !== undefined)
    if (wrong) throw usage(`--${wrong === 'tokenStdin' ? 'token-stdin' : wrong} is for apps from Git.`)
    return {
      ...common,
      source: 'image',
      name: given ?? nameOf(options.image.replace(/@.*$/, '').replace(/:[^/:]*$/, '')),
      imageReference: options.image,
    }
  }
  const gitUrl = options.git ?? ''
  const gitToken = options.tokenStdin ? (await session.io.readInput()).trim() : undefined
  return {
    ...common,
    source: 'git',
    name:
      given ??
      nameOf(
        gitUrl
          .replace(/^[^/]*:(?!\/\/)/, '')
          .replace(/\/+$/, '')
          .replace(/\.git$/, ''),
      ),
    gitUrl,
    ...(options.branch !== undefined && { gitBranch: options.branch }),
    ...(gitToken && { gitToken }),
    ...(options.dockerfile !== undefined && { dockerfilePath: options.dockerfile }),
    ...(options.context !== undefined && { contextPath: options.context }),
    ...(options.target !== undefined && { target: options.target }),
  }
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

export async function onlyProject(session: Session, org: string): Promise<string> {
  const projects = await (await session.client()).projects.list.query({ org })
  const [only, ...others] = projects
  if (!only) throw usage('There is no project yet.', 'Make one first: slipway projects create <name>.')
  if (others.length > 0)
    throw usage(`There are ${projects.length} projects.`, `Add --project ${projects.map((p) => p.slug).join(' or --project ')}.`)
  return only.slug
}

function variables(session: Session, options: Options): Variable[] {
  const pair = (scope: Variable['scope'], flag: string) => (text: string) => {
    const equals = text.indexOf('=')
    if (equals < 1) throw usage(`${flag} ${text.slice(0, 40)} has no value.`, `Write ${flag} KEY=value.`)
    return { scope, key: text.slice(0, equals), value: text.slice(equals + 1), secret: false }
  }
  const secret = (key: string): Variable => {
    const value = session.env.variable(key)
    if (value === undefined)
      throw usage(
        `--secret ${key.slice(0, 40)}: there is no such variable in this environment.`,
        `Set it before: export ${key.slice(0, 40)}=…`,
      )
    return { scope: 'runtime', key, value, secret: true }
  }
  return [
    ...(options.env ?? []).map(pair('runtime', '--env')),
    ...(options.secret ?? []).map(secret),
    ...(options.buildArg ?? []).map(pair('build', '--build-arg')),
  ]
}
