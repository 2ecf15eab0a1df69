/** One logical line cut into keyword, flags and arguments, with errors that point into it. */

import type { DockerfileError, Position } from '../errors'
import { type LogicalLine, positionAt } from '../lexer'
import type { Source } from '../source'
import { didYouMean, suggest } from '../suggest'
import { isSpace, leadingFlags, type Word } from '../words'
import type { Place } from './types'

export interface Flag {
  name: string
  /** null: given without `=`. */
  value: Word | null
  offset: number
}

/** Flags that are not one value each. */
export interface Others {
  switches?: readonly string[]
  several?: readonly string[]
}

const NO_FLAGS: ReadonlyMap<string, Word> = new Map()

export class Node {
  readonly source: Source
  readonly line: LogicalLine
  readonly escape: string
  /** Upper case. */
  readonly keyword: string
  readonly flags: Flag[]
  /** Arguments after the flags, trimmed; '' when there are none. */
  readonly args: string
  readonly argsOffset: number

  constructor(source: Source, line: LogicalLine, escapeChar: string) {
    this.source = source
    this.line = line
    this.escape = escapeChar
    const { text } = line
    let end = 0
    while (end < text.length && !isSpace(text[end])) end++
    this.keyword = text.slice(0, end).toUpperCase()
    const { flags, rest } = leadingFlags(text, end)
    this.flags = flags.map((word) => {
      const equals = word.text.indexOf('=')
      if (equals === -1) return { name: word.text.slice(2), value: null, offset: word.offset }
      return { name: word.text.slice(2, equals), value: { text: word.text.slice(equals + 1), offset: word.offset }, offset: word.offset }
    })
    this.argsOffset = rest
    this.args = text.slice(rest).trimEnd()
  }

  place(): Place {
    const original = this.line.text.trimEnd()
    return {
      keyword: this.keyword,
      original,
      range: { start: positionAt(this.line, 0), end: this.#end(original.length) },
      line: this.line,
      source: this.source,
    }
  }

  /** Heredocs belong to their instruction, with the line that ends them. */
  #end(length: number): Position {
    if (this.line.heredocs.length === 0) return positionAt(this.line, length)
    return { line: this.line.endLine, column: (this.source.lines[this.line.endLine - 1]?.length ?? 0) + 1 }
  }

  fail(code: string, message: string, offset = 0, hint?: string): DockerfileError {
    return this.source.error(code, message, positionAt(this.line, offset), { hint })
  }

  /** All of the arguments as one word. */
  argsWord(): Word {
    return { text: this.args, offset: this.argsOffset }
  }

  needArgs(): void {
    if (this.args === '') throw this.fail('MISSING_ARGUMENTS', `${this.keyword} requires at least one argument.`)
  }

  /** A flag that is on when it stands alone: `--link`, `--link=true`. */
  readSwitch(name: string): boolean {
    const given = this.flags.filter((flag) => flag.name === name)
    const [flag] = given
    if (!flag) return false
    if (given.length > 1) throw this.fail('DUPLICATE_FLAG', `The flag --${name} may be given only once.`, given[1]?.offset)
    const text = flag.value?.text ?? 'true'
    if (text !== 'true' && text !== 'false')
      throw this.fail('BAD_FLAG_VALUE', `--${name} takes true or false, not ${text.slice(0, 40)}.`, flag.offset)
    return text === 'true'
  }

  /** All values of a flag that may be given several times. */
  readAll(name: string): Word[] {
    return this.flags.flatMap((flag) => (flag.name === name && flag.value ? [flag.value] : []))
  }

  /**
   * Checks the flags against those Docker knows here. `supported` ones are returned; the rest of `known` is refused as not
   * supported yet, everything else as unknown. `others` are read with `readSwitch` and `readAll`.
   */
  readFlags(supported: readonly string[], known: readonly string[] = [], others: Others = {}): ReadonlyMap<string, Word> {
    if (this.flags.length === 0) return NO_FLAGS
    const found = new Map<string, Word>()
    for (const flag of this.flags) {
      if (known.includes(flag.name))
        throw this.fail(notSupported(this.keyword, flag.name), `${this.keyword} --${flag.name} is not supported yet.`, flag.offset)
      if (others.switches?.includes(flag.name)) continue
      const several = others.several?.includes(flag.name) === true
      if (!several && !supported.includes(flag.name)) {
        const hint = didYouMean(flag.name, [...supported, ...(others.switches ?? []), ...(others.several ?? [])], (name) => `--${name}`)
        const none = supported.length + known.length === 0
        throw this.fail(
          'UNKNOWN_FLAG',
          none ? `${this.keyword} takes no flags, but --${flag.name} is given.` : `${this.keyword} has no flag --${flag.name}.`,
          flag.offset,
          hint,
        )
      }
      if (!flag.value)
        throw this.fail('FLAG_NEEDS_VALUE', `The flag --${flag.name} needs a value.`, flag.offset, `Write --${flag.name}=<value>.`)
      if (several) continue
      if (found.has(flag.name)) throw this.fail('DUPLICATE_FLAG', `The flag --${flag.name} may be given only once.`, flag.offset)
      found.set(flag.name, flag.value)
    }
    return found
  }
}

const notSupported = (keyword: string, flag: string) => `${keyword}_${flag.toUpperCase().replace(/[^A-Z]/g, '_')}_NOT_SUPPORTED`

export const KEYWORDS = [
  'ADD',
  'ARG',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'FROM',
  'HEALTHCHECK',
  'LABEL',
  'MAINTAINER',
  'ONBUILD',
  'RUN',
  'SHELL',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
] as const

export function unknownInstruction(node: Node): DockerfileError {
  const shown = node.keyword.length > 40 ? `${node.keyword.slice(0, 40)}…` : node.keyword
  const near = suggest(node.keyword, KEYWORDS)
  return node.fail('UNKNOWN_INSTRUCTION', `Unknown instruction ${shown}.`, 0, near ? `Did you mean ${near}?` : undefined)
}
