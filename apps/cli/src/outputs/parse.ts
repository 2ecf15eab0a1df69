/** `-o`/`--output` of `slipway build`, as docker buildx reads it. */
import { usage } from '../errors'
import { plain } from '../output'

export type Output =
  /** A folder with the image's files. */
  | { type: 'local'; dest: string }
  /** One file; `-` is stdout. */
  | { type: 'tar' | 'oci' | 'docker'; dest: string }
  | { type: 'registry' }

const KEYS = ['type', 'dest', 'push']
const KINDS = 'type=local, tar, oci, docker, image or registry'

export function readOutputs(given: readonly string[], stdoutIsTerminal: boolean): Output[] {
  const outputs = given.map((text) => readOutput(text, stdoutIsTerminal))
  if (outputs.filter((output) => output.type !== 'registry' && output.dest === '-').length > 1)
    throw usage('Two outputs go to stdout; name a file with dest= for all but one.')
  return outputs
}

function readOutput(text: string, stdoutIsTerminal: boolean): Output {
  const bad = (message: string, hint?: string) => usage(`-o ${plain(text).slice(0, 200)}: ${message}`, hint)
  if (text === '') throw bad('it is empty.', `Write a folder, or ${KINDS}.`)
  if (text === '-') return { type: 'tar', dest: toStdout() }
  if (!text.includes('=')) return { type: 'local', dest: text }
  const fields = new Map<string, string>()
  for (const part of text.split(',')) {
    const equals = part.indexOf('=')
    const key = part.slice(0, Math.max(0, equals)).trim().toLowerCase()
    if (!KEYS.includes(key) || fields.has(key)) throw bad(`"${plain(part).slice(0, 60)}" is no option of it.`, 'There are type= and dest=.')
    fields.set(key, part.slice(equals + 1).trim())
  }
  const [type, dest] = [fields.get('type'), fields.get('dest')]
  switch (type) {
    case 'local':
      if (!dest || dest === '-') throw bad('type=local needs a folder.', 'Add dest=<folder>.')
      return { type, dest }
    case 'tar':
    case 'oci':
    case 'docker':
      return { type, dest: !dest || dest === '-' ? toStdout() : dest }
    case 'image':
    case 'registry':
      if (dest !== undefined) throw bad(`type=${type} has no dest.`, 'Its name is given with -t.')
      if (type === 'image' && fields.get('push') !== 'true')
        throw bad('an image without push=true stays where it was built.', 'Add push=true.')
      return { type: 'registry' }
    default:
      throw bad(type ? `there is no type ${plain(type).slice(0, 40)}.` : 'the type is missing.', `There are ${KINDS}.`)
  }

  function toStdout(): string {
    if (stdoutIsTerminal) throw bad('a terminal is no place for a tar.', 'Name a file with dest=, or redirect the output.')
    return '-'
  }
}
