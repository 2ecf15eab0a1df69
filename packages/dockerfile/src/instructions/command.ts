/** RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK: shell form or exec form. */
import { parseDuration } from '../duration'
import { didYouMean } from '../suggest'
import { isSpace, jsonArray, type Word } from '../words'
import { parseMounts } from './mount'
import type { Node } from './node'
import type { CommandLine, Healthcheck, Instruction } from './types'

/** Exec form when the text is a JSON array of strings. */
export function commandLine(node: Node, text: string, offset: number): CommandLine {
  const json = jsonArray(text)
  if (json.kind === 'strings') return { form: 'exec', args: json.items }
  if (json.kind === 'not-strings') {
    throw node.fail('JSON_NOT_STRINGS', 'The exec form takes an array of strings only.', offset, 'Put every element in double quotes.')
  }
  return { form: 'shell', text }
}

export function parseRun(node: Node): Instruction {
  const flags = node.readFlags(['network', 'security'], ['device'], { several: ['mount'] })
  const network = oneOf(node, 'network', flags.get('network'), ['default', 'none', 'host'])
  const insecure = oneOf(node, 'security', flags.get('security'), ['sandbox', 'insecure']) === 'insecure'
  const mounts = parseMounts(node)
  node.needArgs()
  const command = commandLine(node, node.args, node.argsOffset)
  if (command.form === 'exec' && command.args.length === 0)
    throw node.fail('MISSING_ARGUMENTS', 'RUN requires at least one argument.', node.argsOffset)
  return { ...node.place(), kind: 'RUN', command, heredocs: node.line.heredocs, mounts, network, insecure }
}

/** The first option is the default. */
function oneOf<T extends string>(node: Node, name: string, given: Word | undefined, options: readonly [T, ...T[]]): T {
  if (!given) return options[0]
  const found = options.find((option) => option === given.text)
  if (found) return found
  const hint = didYouMean(given.text, options, (option) => `--${name}=${option}`) ?? `Write one of ${options.join(', ')}.`
  throw node.fail('BAD_FLAG_VALUE', `RUN knows no --${name}=${given.text.slice(0, 40)}.`, given.offset, hint)
}

export function parseCommandDefault(node: Node, kind: 'CMD' | 'ENTRYPOINT'): Instruction {
  node.readFlags([])
  node.needArgs()
  return { ...node.place(), kind, command: commandLine(node, node.args, node.argsOffset) }
}

export function parseShell(node: Node): Instruction {
  node.readFlags([])
  node.needArgs()
  const command = commandLine(node, node.args, node.argsOffset)
  if (command.form === 'shell') {
    throw node.fail('SHELL_NEEDS_JSON', 'SHELL takes a JSON array.', node.argsOffset, 'For example: SHELL ["/bin/bash", "-c"].')
  }
  if (command.args.length === 0) throw node.fail('MISSING_ARGUMENTS', 'SHELL requires at least one argument.', node.argsOffset)
  return { ...node.place(), kind: 'SHELL', shell: command.args }
}

const DURATIONS = { interval: 'interval', timeout: 'timeout', 'start-period': 'startPeriod', 'start-interval': 'startInterval' } as const
const MILLISECOND = 1_000_000

function duration(node: Node, name: string, word: Word): number {
  const value = parseDuration(word.text)
  if (value === null) {
    throw node.fail(
      'BAD_DURATION',
      `--${name}=${word.text} is no duration.`,
      word.offset,
      'Write a number with a unit, such as 30s or 1m30s.',
    )
  }
  if (value !== 0 && value < MILLISECOND) throw node.fail('BAD_DURATION', `--${name} cannot be less than 1ms.`, word.offset)
  return value
}

export function parseHealthcheck(node: Node): Instruction {
  node.needArgs()
  let end = 0
  while (end < node.args.length && !isSpace(node.args[end])) end++
  const type = node.args.slice(0, end).toUpperCase()
  let next = end
  while (next < node.args.length && isSpace(node.args[next])) next++
  const rest = node.args.slice(next)
  if (type === 'NONE') {
    node.readFlags([])
    if (rest !== '') throw node.fail('TOO_MANY_ARGUMENTS', 'HEALTHCHECK NONE takes no arguments.', node.argsOffset + next)
    return { ...node.place(), kind: 'HEALTHCHECK', check: { command: null } }
  }
  if (type !== 'CMD') {
    throw node.fail(
      'BAD_HEALTHCHECK',
      `HEALTHCHECK knows CMD and NONE, not ${type.slice(0, 40)}.`,
      node.argsOffset,
      'Write HEALTHCHECK CMD <command>.',
    )
  }
  const flags = node.readFlags([...Object.keys(DURATIONS), 'retries'])
  const command = commandLine(node, rest, node.argsOffset + next)
  if (rest === '' || (command.form === 'exec' && command.args.length === 0)) {
    throw node.fail('MISSING_ARGUMENTS', 'HEALTHCHECK CMD requires a command.', node.argsOffset)
  }
  const check: Healthcheck = { command }
  for (const [name, key] of Object.entries(DURATIONS)) {
    const word = flags.get(name)
    if (word) check[key] = duration(node, name, word)
  }
  const retries = flags.get('retries')
  if (retries) {
    if (!/^\d{1,9}$/.test(retries.text))
      throw node.fail('BAD_RETRIES', `--retries=${retries.text} is not a number from 0 up.`, retries.offset)
    check.retries = Number(retries.text)
  }
  return { ...node.place(), kind: 'HEALTHCHECK', check }
}
