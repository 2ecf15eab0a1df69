/** ENV, LABEL, ARG, EXPOSE and the instructions with one value. */
import { blankSeparated, quotedWords, type Word } from '../words'
import type { Node } from './node'
import type { Instruction, KeyValue } from './types'

const splitAt = (word: Word, index: number): [Word, Word] => [
  { text: word.text.slice(0, index), offset: word.offset },
  { text: word.text.slice(index + 1), offset: word.offset + index + 1 },
]

/** `A=1 B="2 3"`, or the old `KEY the rest of the line`. Which one is meant is told by the first word alone, as in Docker. */
export function parsePairs(node: Node, kind: 'ENV' | 'LABEL'): Instruction {
  node.readFlags([])
  node.needArgs()
  const words = quotedWords(node.args, node.argsOffset, node.escape)
  const pairs: KeyValue[] = []
  const first = words[0]
  if (!first) throw node.fail('MISSING_ARGUMENTS', `${kind} requires at least one argument.`)
  if (!first.text.includes('=')) {
    const gap = /[\t\v\f\r ]/.exec(node.args)
    if (!gap) {
      throw node.fail(
        'MISSING_VALUE',
        `${kind} ${first.text.slice(0, 60)} has no value.`,
        node.argsOffset,
        `Write ${kind} ${first.text.slice(0, 60)}=<value>.`,
      )
    }
    const value = node.args.slice(gap.index).replace(/^[\t\v\f\r ]+/, '')
    pairs.push({
      key: { text: node.args.slice(0, gap.index), offset: node.argsOffset },
      value: { text: value, offset: node.argsOffset + node.args.length - value.length },
      legacy: true,
    })
  } else {
    for (const word of words) {
      const equals = word.text.indexOf('=')
      if (equals === -1) {
        throw node.fail(
          'MISSING_EQUALS',
          `"${word.text.slice(0, 60)}" has no =.`,
          word.offset,
          `Write name=value; put quotes around a value with spaces.`,
        )
      }
      if (equals === 0) throw node.fail('BLANK_NAME', `${kind} names cannot be blank.`, word.offset)
      const [key, value] = splitAt(word, equals)
      pairs.push({ key, value, legacy: false })
    }
  }
  return { ...node.place(), kind, pairs }
}

export function parseArg(node: Node): Instruction {
  node.readFlags([])
  node.needArgs()
  const args = quotedWords(node.args, node.argsOffset, node.escape).map((word) => {
    const equals = word.text.indexOf('=')
    if (equals === 0) throw node.fail('BLANK_NAME', 'ARG names cannot be blank.', word.offset)
    if (equals === -1) return { key: word, value: null }
    const [key, value] = splitAt(word, equals)
    return { key, value }
  })
  if (args.length === 0) throw node.fail('MISSING_ARGUMENTS', 'ARG requires at least one argument.')
  return { ...node.place(), kind: 'ARG', args }
}

export function parseExpose(node: Node): Instruction {
  node.readFlags([])
  node.needArgs()
  return { ...node.place(), kind: 'EXPOSE', ports: blankSeparated(node.args, node.argsOffset) }
}

export function parseValue(node: Node, kind: 'WORKDIR' | 'USER' | 'STOPSIGNAL' | 'MAINTAINER'): Instruction {
  node.readFlags([])
  node.needArgs()
  return { ...node.place(), kind, value: node.argsWord() }
}
