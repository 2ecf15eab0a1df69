/** FROM, COPY, ADD and VOLUME. */
import { type Heredoc, heredocStart } from '../heredoc'
import { blankSeparated, jsonArray, type Word } from '../words'
import type { Node } from './node'
import type { FromInstruction, Instruction } from './types'

const STAGE_NAME = /^[a-z][a-z0-9-_.]{0,127}$/

export function parseFrom(node: Node): FromInstruction {
  const words = blankSeparated(node.args, node.argsOffset)
  const [image, as, name] = words
  const platform = node.readFlags(['platform']).get('platform') ?? null
  if (!image || (words.length !== 1 && !(words.length === 3 && as?.text.toLowerCase() === 'as'))) {
    throw node.fail(
      'BAD_FROM',
      'FROM takes one image, or an image, AS and a name.',
      node.argsOffset,
      'Write FROM <image> or FROM <image> AS <name>.',
    )
  }
  if (name && !STAGE_NAME.test(name.text.toLowerCase())) {
    throw node.fail(
      'BAD_STAGE_NAME',
      `"${name.text.slice(0, 60)}" cannot name a stage.`,
      name.offset,
      'Names start with a letter and hold letters, digits, - _ and . only.',
    )
  }
  return { ...node.place(), kind: 'FROM', image, platform, name: name ? name.text.toLowerCase() : null }
}

/** JSON array of strings, or blank-separated words. */
function pathList(node: Node): Word[] {
  const json = jsonArray(node.args)
  if (json.kind === 'strings') return json.items.map((text) => ({ text, offset: node.argsOffset }))
  if (json.kind === 'not-strings') {
    throw node.fail(
      'JSON_NOT_STRINGS',
      'The JSON form takes an array of strings only.',
      node.argsOffset,
      'Put every element in double quotes.',
    )
  }
  return blankSeparated(node.args, node.argsOffset)
}

export function parseCopy(node: Node, kind: 'COPY' | 'ADD'): Instruction {
  const flags =
    kind === 'COPY'
      ? node.readFlags(['from', 'chown', 'chmod'], [], { switches: ['link', 'parents'], several: ['exclude'] })
      : node.readFlags(['chown', 'chmod', 'checksum'], [], { switches: ['link', 'unpack', 'keep-git-dir'], several: ['exclude'] })
  const words = pathList(node)
  const dest = words.at(-1)
  if (!dest || words.length < 2) {
    throw node.fail(
      'MISSING_ARGUMENTS',
      `${kind} requires at least one source and a destination.`,
      0,
      `Write ${kind} <source> <destination>.`,
    )
  }
  const written = words.slice(0, -1)
  const inline: Heredoc[] = []
  const sources = written.filter((word) => {
    const start = node.line.heredocs.length > 0 ? heredocStart(word.text, node.escape) : null
    const heredoc = start && node.line.heredocs.findLast((one) => one.name === start.name)
    if (heredoc) inline.push(checkName(node, heredoc, word))
    return !heredoc
  })
  if (node.line.heredocs.length > 0 && heredocStart(dest.text, node.escape)) {
    throw node.fail('HEREDOC_DESTINATION', `${kind} cannot write into a heredoc.`, dest.offset, 'Put the destination last.')
  }
  return {
    ...node.place(),
    kind,
    sources,
    inline,
    dest,
    from: flags.get('from') ?? null,
    chown: flags.get('chown') ?? null,
    chmod: flags.get('chmod') ?? null,
    link: node.readSwitch('link'),
    unpack: kind === 'COPY' ? false : node.flags.some((flag) => flag.name === 'unpack') ? node.readSwitch('unpack') : null,
    checksum: flags.get('checksum') ?? null,
    parents: node.readSwitch('parents'),
    exclude: node.readAll('exclude'),
    keepGitDir: node.readSwitch('keep-git-dir'),
  }
}

/** The name of a heredoc is the name of its file. */
function checkName(node: Node, heredoc: Heredoc, word: Word): Heredoc {
  if (heredoc.name === '.' || heredoc.name === '..' || heredoc.name.includes('/') || heredoc.name.length > 255) {
    throw node.fail(
      'BAD_HEREDOC_NAME',
      `"${heredoc.name.slice(0, 60)}" cannot name a file.`,
      word.offset,
      'Name the heredoc as the file, without a path.',
    )
  }
  return heredoc
}

export function parseVolume(node: Node): Instruction {
  node.readFlags([])
  node.needArgs()
  const paths = pathList(node)
  if (paths.length === 0) throw node.fail('MISSING_ARGUMENTS', 'VOLUME requires at least one argument.')
  if (paths.some((path) => path.text === '')) throw node.fail('EMPTY_VOLUME', 'VOLUME cannot be an empty string.', node.argsOffset)
  return { ...node.place(), kind: 'VOLUME', paths }
}
