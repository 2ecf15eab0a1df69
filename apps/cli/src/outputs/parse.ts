/** `-o`/`--output` of `slipway build`, as docker buildx reads it. */
import type { inputs } from '@slipway/contracts'
import { usage } from '../errors'
import { plain } from '../output'

export type Output =
  /** A folder with the image's files. */
  | { type: 'local'; dest: string }
  /** One file; `-` is stdout. */
  | { type: 'tar'; dest: string }
  | { type: 'oci' | 'docker'; dest: string; form?: Form }
  | { type: 'registry'; form?: Form }

/** How the image looks, wherever it goes: a build makes one. */
export type Form = inputs.ImageForm

const FORM_KEYS = ['compression', 'compression-level', 'force-compression', 'oci-mediatypes', 'rewrite-timestamp']
const KEYS = ['type', 'dest', 'push', ...FORM_KEYS]
const KINDS = 'type=local, tar, oci, docker, image or registry'

export function readOutputs(given: readonly string[], stdoutIsTerminal: boolean): Output[] {
  const outputs = given.map((text) => readOutput(text, stdoutIsTerminal))
  if (outputs.filter((output) => output.type !== 'registry' && output.dest === '-').length > 1)
    throw usage('Two outputs go to stdout; name a file with dest= for all but one.')
  if (new Set(forms(outputs).map((form) => JSON.stringify(form))).size > 1)
    throw usage('The outputs ask for images of different looks.', 'Write the same compression and the like at each -o, or build twice.')
  return outputs
}

const forms = (outputs: readonly Output[]): Form[] => outputs.flatMap((output) => ('form' in output && output.form ? [output.form] : []))

/** Undefined: as the app's settings say. */
export const formOf = (outputs: readonly Output[]): Form | undefined => forms(outputs)[0]

function readOutput(text: string, stdoutIsTerminal: boolean): Output {
  const bad = (message: string, hint?: string) => usage(`-o ${plain(text).slice(0, 200)}: ${message}`, hint)
  if (text === '') throw bad('it is empty.', `Write a folder, or ${KINDS}.`)
  if (text === '-') return { type: 'tar', dest: toStdout() }
  if (!text.includes('=')) return { type: 'local', dest: text }
  const fields = new Map<string, string>()
  for (const part of text.split(',')) {
    const equals = part.indexOf('=')
    const key = part.slice(0, Math.max(0, equals)).trim().toLowerCase()
    if (!KEYS.includes(key) || fields.has(key))
      throw bad(`"${plain(part).slice(0, 60)}" is no option of it.`, `There are type=, dest=, ${FORM_KEYS.join('=, ')}=.`)
    fields.set(key, part.slice(equals + 1).trim())
  }
  const [type, dest] = [fields.get('type'), fields.get('dest')]
  const form = readForm(fields, bad)
  if (form && (type === 'local' || type === 'tar'))
    throw bad(`type=${type} holds files, which have no compression or dates of their own.`, 'Use type=oci or type=docker.')
  switch (type) {
    case 'local':
      if (!dest || dest === '-') throw bad('type=local needs a folder.', 'Add dest=<folder>.')
      return { type, dest }
    case 'tar':
      return { type, dest: file() }
    case 'oci':
    case 'docker':
      return { type, dest: file(), ...(form && { form }) }
    case 'image':
    case 'registry':
      if (dest !== undefined) throw bad(`type=${type} has no dest.`, 'Its name is given with -t.')
      if (type === 'image' && fields.get('push') !== 'true')
        throw bad('an image without push=true stays where it was built.', 'Add push=true.')
      return { type: 'registry', ...(form && { form }) }
    default:
      throw bad(type ? `there is no type ${plain(type).slice(0, 40)}.` : 'the type is missing.', `There are ${KINDS}.`)
  }

  function file(): string {
    return !dest || dest === '-' ? toStdout() : dest
  }

  function toStdout(): string {
    if (stdoutIsTerminal) throw bad('a terminal is no place for a tar.', 'Name a file with dest=, or redirect the output.')
    return '-'
  }
}

type Bad = (message: string, hint?: string) => Error

function readForm(fields: ReadonlyMap<string, string>, bad: Bad): Form | undefined {
  if (!FORM_KEYS.some((key) => fields.has(key))) return undefined
  const flag = (key: string): boolean | undefined => {
    const value = fields.get(key)
    if (value === undefined) return undefined
    if (!/^(true|false|1|0)$/.test(value)) throw bad(`${key}= is true or false.`)
    return value === 'true' || value === '1'
  }
  const compression = fields.get('compression')
  if (compression !== undefined && compression !== 'gzip' && compression !== 'zstd' && compression !== 'uncompressed')
    throw bad(
      `layers are packed with gzip or zstd here, or not at all, and not as ${plain(compression).slice(0, 40)}.`,
      'Write compression=gzip, compression=zstd or compression=uncompressed.',
    )
  const level = fields.get('compression-level')
  if (level !== undefined && compression === 'uncompressed')
    throw bad('layers that are not compressed have no level.', 'Leave out compression-level=.')
  const most = compression === 'zstd' ? 22 : 9
  if (level !== undefined && !(/^\d{1,2}$/.test(level) && Number(level) >= 1 && Number(level) <= most))
    throw bad(`compression-level= is 1 to ${most} with ${compression ?? 'gzip'}.`)
  const [force, oci, rewrite] = [flag('force-compression'), flag('oci-mediatypes'), flag('rewrite-timestamp')]
  if (compression === 'zstd' && oci === false)
    throw bad('Docker’s media types have no name for zstd layers.', 'Leave out oci-mediatypes=false.')
  return {
    ...(compression !== undefined && { compression }),
    ...(level !== undefined && { level: Number(level) }),
    ...(force !== undefined && { force }),
    ...(oci !== undefined && { mediaTypes: oci ? 'oci' : 'docker' }),
    ...(rewrite !== undefined && { reproducible: rewrite }),
  }
}
