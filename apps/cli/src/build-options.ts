/** What the flags of `slipway build` say, checked; `--ssh` is in ssh-agents.ts. */

import { isUtf8 } from 'node:buffer'
import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { LIMITS, readContextValue } from '@slipway/dockerfile'
import { usage } from './errors'
import { plain } from './output'
import type { Session } from './session'

const MAX_SECRET = 500 * 1024
const OWN = 'slipway.local/'

export interface ImageName {
  org: string | null
  app: string | null
  tag: string | null
}

/** `-t name`, `-t name:tag`, `-t org/name:tag`. */
export function imageName(text: string | undefined): ImageName {
  if (text === undefined) return { org: null, app: null, tag: null }
  const match = /^(?:([a-z0-9-]+)\/)?([a-z0-9-]+)(?::(\w[\w.-]{0,127}))?$/.exec(text.startsWith(OWN) ? text.slice(OWN.length) : text)
  if (!match)
    throw usage(`-t ${plain(text).slice(0, 100)} is no name here.`, 'Write it as <app>, <app>:<tag> or <organization>/<app>:<tag>.')
  return { org: match[1] ?? null, app: match[2] ?? null, tag: match[3] ?? null }
}

/** `--build-arg K=V`; `--build-arg K` takes the value of this environment, and nothing when it has none, as docker does. */
export function buildArgs(session: Session, given: readonly string[]): Record<string, string> {
  const args: Record<string, string> = {}
  for (const text of given) {
    const equals = text.indexOf('=')
    const key = equals < 0 ? text : text.slice(0, equals)
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(key))
      throw usage(`--build-arg ${plain(text).slice(0, 40)} names no argument.`, 'Write it as --build-arg KEY=value.')
    const value = equals < 0 ? session.env.variable(key) : text.slice(equals + 1)
    if (value !== undefined) args[key] = value
  }
  return args
}

/** Text, or what is none. */
export type GivenSecret = string | { base64: string }

/** `--secret id=npm,src=~/.npmrc`, `--secret id=token,env=TOKEN`, `--secret id=TOKEN`: the variable, else the file, of that name. */
export async function buildSecrets(session: Session, given: readonly string[]): Promise<Record<string, GivenSecret>> {
  const secrets: Record<string, GivenSecret> = {}
  for (const text of given) {
    const fields = new Map(
      text.split(',').map((part): [string, string] => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]),
    )
    const id = fields.get('id')
    const source = fields.get('src') ?? fields.get('source')
    const env = fields.get('env')
    const known = [...fields.keys()].every((key) => ['id', 'src', 'source', 'env', 'type'].includes(key))
    // Never the whole text: a value may have slipped into it.
    if (!id || !/^[\w.-]{1,200}$/.test(id) || !known || (source !== undefined && env !== undefined))
      throw usage('A --secret is not written as it must be.', 'Write --secret id=<name>,src=<file> or --secret id=<name>,env=<variable>.')
    if (id in secrets) throw usage(`The secret ${id} is given twice.`)
    secrets[id] = await secretValue(session, id, source, env)
  }
  return secrets
}

async function secretValue(session: Session, id: string, source: string | undefined, env: string | undefined): Promise<GivenSecret> {
  if (source === undefined) {
    const value = session.env.variable(env ?? id)
    if (value !== undefined) return value
    if (env !== undefined) throw usage(`The secret ${id}: there is no variable ${plain(env).slice(0, 60)} in this environment.`)
  }
  const path = (source ?? id).replace(/^~(?=\/)/, homedir())
  const found = await stat(path).catch(() => null)
  if (!found?.isFile()) throw usage(`The secret ${id}: there is no file ${plain(path).slice(0, 200)}.`)
  if (found.size > MAX_SECRET) throw usage(`The secret ${id} is larger than 500 KiB.`)
  const bytes = await readFile(path)
  return isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') }
}

export type GivenContext = { folder: string; ignore: string } | { value: string }

/** `--build-context name=<folder>`, `name=docker-image://…`, `name=https://….git#branch:folder`. */
export async function buildContexts(given: readonly string[]): Promise<Map<string, GivenContext>> {
  const contexts = new Map<string, GivenContext>()
  for (const text of given) {
    const equals = text.indexOf('=')
    const [name, value] = [text.slice(0, Math.max(0, equals)).toLowerCase(), text.slice(equals + 1)]
    const bad = (message: string) =>
      usage(
        `--build-context ${plain(text).slice(0, 200)}: ${message}`,
        'Write name=<folder>, name=docker-image://<image> or name=https://….git.',
      )
    if (name === '') throw bad('it has no name.')
    if (contexts.has(name)) throw bad('this name is given twice.')
    const read = readContextValue(value)
    if (!read) throw bad('it is no context.')
    if (read.kind !== 'local') contexts.set(name, { value })
    else if ('path' in read) {
      const folder = resolve(read.path.replace(/^~(?=\/|$)/, homedir()))
      if (!(await stat(folder).catch(() => null))?.isDirectory()) throw bad('there is no such folder.')
      contexts.set(name, { folder, ignore: (await readText(join(folder, '.dockerignore'), LIMITS.ignoreFileLength)) ?? '' })
    }
  }
  return contexts
}

/** Text of a file up to a limit; null when there is none. */
export async function readText(path: string, limit: number): Promise<string | null> {
  const found = await stat(path).catch(() => null)
  if (!found?.isFile()) return null
  if (found.size > limit) throw usage(`${plain(path)} has ${found.size} bytes; at most ${limit} are read.`)
  return readFile(path, 'utf8')
}

/** `<Dockerfile>.dockerignore` wins over the context's own. */
export const ignoreText = async (folder: string, dockerfile: string, limit: number): Promise<string> =>
  (await readText(`${dockerfile}.dockerignore`, limit)) ?? (await readText(join(folder, '.dockerignore'), limit)) ?? ''
