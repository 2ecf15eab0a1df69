/**
 * `RUN --mount=type=…,key=value`: the flag cut into fields, and fields checked into a mount.
 * https://docs.docker.com/reference/dockerfile/#run---mount
 */
import type { DockerfileError } from '../errors'
import { didYouMean } from '../suggest'
import type { Word } from '../words'
import type { Node } from './node'

export interface MountField {
  /** As in `KEYS`, aliases resolved. */
  key: Key
  /** As written. */
  name: string
  /** null: given without `=`. */
  value: Word | null
  offset: number
}

/** One --mount flag; values are not expanded yet. */
export interface MountFlag {
  fields: MountField[]
  /** Stage name, stage index or image. Never expanded, as in Docker. */
  from: Word | null
  offset: number
}

/** A mount as its fields say, relative paths and defaults that depend on the stage still open. */
export interface MountSpec {
  type: Type
  target: string | null
  source: string | null
  id: string | null
  env: string | null
  /** Bytes. */
  size: number | null
  mode: number | null
  uid: number
  gid: number
  sharing: Sharing
  required: boolean
  /** null: as is usual for the type. */
  readonly: boolean | null
}

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const
const SHARINGS = ['shared', 'private', 'locked'] as const
type Type = (typeof TYPES)[number]
type Sharing = (typeof SHARINGS)[number]
type Key =
  | 'type'
  | 'from'
  | 'source'
  | 'target'
  | 'readonly'
  | 'readwrite'
  | 'id'
  | 'sharing'
  | 'size'
  | 'mode'
  | 'uid'
  | 'gid'
  | 'required'
  | 'env'

const ALIASES: ReadonlyMap<string, Key> = new Map<string, Key>([
  ['src', 'source'],
  ['dst', 'target'],
  ['destination', 'target'],
  ['ro', 'readonly'],
  ['rw', 'readwrite'],
])
const OWNER: readonly Key[] = ['mode', 'uid', 'gid']
const KEYS: Readonly<Record<Type, readonly Key[]>> = {
  bind: ['type', 'from', 'source', 'target', 'readonly', 'readwrite'],
  cache: ['type', 'from', 'source', 'target', 'readonly', 'readwrite', 'id', 'sharing', ...OWNER],
  tmpfs: ['type', 'target', 'size'],
  secret: ['type', 'id', 'source', 'target', 'required', 'env', ...OWNER],
  ssh: ['type', 'id', 'target', 'required', ...OWNER],
}
const ALL: readonly Key[] = [...new Set(TYPES.flatMap((type) => KEYS[type]))]
const MOST = 100
const HIGHEST_ID = 4_294_967_294

/** The --mount flags of a RUN. What needs no variables is checked at once, so that an editor tells it while one types. */
export function parseMounts(node: Node): MountFlag[] {
  const words = node.readAll('mount')
  if (words.length > MOST) throw node.fail('TOO_MANY_MOUNTS', `A RUN takes at most ${MOST} mounts.`, words[MOST]?.offset)
  return words.map((word) => {
    const fail: Fail = (code, message, offset, hint) => node.fail(code, message, offset, hint)
    const flag = cut(word, fail)
    if (flag.fields.every(({ value }) => !value?.text.includes('$'))) readMount(flag, (value) => value.text, fail)
    return flag
  })
}

export type Fail = (code: string, message: string, offset: number, hint?: string) => DockerfileError

function cut(word: Word, fail: Fail): MountFlag {
  const fields: MountField[] = []
  let from: Word | null = null
  for (const part of word.text.split(',')) {
    const { offset } = word
    const equals = part.indexOf('=')
    const name = (equals === -1 ? part : part.slice(0, equals)).trim().toLowerCase()
    const value = equals === -1 ? null : { text: part.slice(equals + 1), offset }
    const key = ALIASES.get(name) ?? ALL.find((known) => known === name)
    if (!key) {
      const hint = didYouMean(name, [...ALL, ...ALIASES.keys()])
      throw fail('UNKNOWN_MOUNT_OPTION', `--mount has no option "${name.slice(0, 40)}".`, offset, hint)
    }
    if (!value && key !== 'readonly' && key !== 'readwrite' && key !== 'required')
      throw fail('MOUNT_OPTION_NEEDS_VALUE', `The option ${name} of --mount needs a value.`, offset, `Write ${name}=<value>.`)
    if (fields.some((field) => field.key === key)) throw fail('DUPLICATE_MOUNT_OPTION', `--mount has ${name} twice.`, offset)
    if (key === 'from') from = value
    fields.push({ key, name, value, offset })
  }
  return { fields, from: from?.text ? from : null, offset: word.offset }
}

/** Checks the fields with their values expanded. */
export function readMount(flag: MountFlag, expand: (value: Word) => string, fail: Fail): MountSpec {
  const values = new Map<Key, string>()
  for (const { key, value } of flag.fields) values.set(key, value ? (key === 'from' ? value.text : expand(value)) : 'true')
  const bad = (message: string, hint?: string) => fail('BAD_MOUNT', message, flag.offset, hint)
  const one = <T extends string>(key: Key, options: readonly T[], fallback: T): T => {
    const text = values.get(key)
    if (text === undefined) return fallback
    const found = options.find((option) => option === text.toLowerCase())
    if (!found) {
      throw bad(`--mount knows no ${key} "${text.slice(0, 40)}".`, didYouMean(text, options) ?? `Write one of ${options.join(', ')}.`)
    }
    return found
  }
  const number = (key: Key, pattern: RegExp, base: number, most: number, example: string): number | null => {
    const text = values.get(key)
    if (text === undefined) return null
    const parsed = pattern.test(text) ? Number.parseInt(text, base) : Number.NaN
    if (!(parsed <= most)) throw bad(`${key}=${text.slice(0, 40)} of --mount is not valid.`, `Write a number such as ${example}.`)
    return parsed
  }
  const flagOf = (key: Key): boolean | null => {
    const text = values.get(key)?.toLowerCase()
    if (text === undefined) return null
    if (text !== 'true' && text !== 'false' && text !== '1' && text !== '0') throw bad(`${key} of --mount takes true or false.`)
    return text === 'true' || text === '1'
  }
  const path = (key: Key): string | null => {
    const text = values.get(key)
    if (text?.includes('\0') || (text?.length ?? 0) > 4096) throw bad(`${key} of --mount is no path.`)
    return text === undefined || text === '' ? null : text
  }

  const type = one('type', TYPES, 'bind')
  for (const { key, name } of flag.fields) {
    if (KEYS[type].includes(key)) continue
    const hint =
      key === 'from' || key === 'source' ? 'Did you forget type=bind or type=cache?' : `It takes ${KEYS[type].slice(1).join(', ')}.`
    throw fail('UNEXPECTED_MOUNT_OPTION', `A mount of type ${type} has no option ${name}.`, flag.offset, hint)
  }
  const writable = flagOf('readwrite')
  const readonly = flagOf('readonly') ?? (writable === null ? null : !writable)
  if (writable !== null && values.has('readonly')) throw bad('--mount takes readonly or readwrite, not both.')
  const spec: MountSpec = {
    type,
    target: path('target'),
    source: path('source'),
    id: values.get('id') || null,
    env: values.get('env') || null,
    size: sizeOf(values.get('size'), bad),
    mode: number('mode', /^[0-7]{1,5}$/, 8, 0o7777, '0755'),
    uid: number('uid', /^\d{1,10}$/, 10, HIGHEST_ID, '1000') ?? 0,
    gid: number('gid', /^\d{1,10}$/, 10, HIGHEST_ID, '1000') ?? 0,
    sharing: one('sharing', SHARINGS, 'shared'),
    required: flagOf('required') ?? false,
    readonly,
  }
  if ((spec.id?.length ?? 0) > 256) throw bad('The id of --mount is longer than 256 characters.')
  if (spec.id?.includes('\0')) throw bad('The id of --mount cannot hold a NUL character.')
  if (!spec.target && (type === 'bind' || type === 'cache' || type === 'tmpfs'))
    throw fail('MOUNT_NEEDS_TARGET', `A mount of type ${type} needs a target.`, flag.offset, 'Write target=<path>.')
  if (type === 'secret' && !spec.id && !spec.source && !spec.target)
    throw fail('MOUNT_NEEDS_ID', 'A secret needs an id or a target.', flag.offset, 'Write id=<name of the secret>.')
  if (spec.env !== null && !/^[A-Za-z_][A-Za-z0-9_]{0,255}$/.test(spec.env))
    throw bad(`"${spec.env.slice(0, 40)}" cannot name an environment variable.`)
  return spec
}

const UNITS = 'bkmgt'

/** `64m`, `1.5g`, bytes without a unit. */
function sizeOf(text: string | undefined, bad: (message: string, hint?: string) => DockerfileError): number | null {
  if (text === undefined) return null
  const [, digits, unit = 'b'] = /^(\d{1,12}(?:\.\d{1,3})?) ?([bkmgt]?)(?:i?b)?$/i.exec(text) ?? []
  const bytes = Math.floor(Number(digits) * 1024 ** UNITS.indexOf(unit.toLowerCase() || 'b'))
  if (!(bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER))
    throw bad(`size=${text.slice(0, 40)} of --mount is no size.`, 'Write it like size=64m.')
  return bytes
}
