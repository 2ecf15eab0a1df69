/** What a whole planning run shares: options, global scope, warnings, and expansion with errors that point at the word. */
import type { ImageConfig } from '@slipway/contracts'
import type { DockerfileError, DockerfileWarning } from '../errors'
import { type Expansion, ExpansionError, expand, expandContent, type Lookup } from '../expand'
import type { Heredoc } from '../heredoc'
import type { ArgInstruction, Place } from '../instructions/types'
import { positionAt } from '../lexer'
import type { Dockerfile } from '../parser'
import { didYouMean } from '../suggest'
import type { Word } from '../words'
import { BUILTIN_ARGS } from './buildkit-args'
import { type NamedContext, NamedContexts } from './named-contexts'
import { type Platform, PROXY_ARGS, platformArgs } from './platform'
import { SOURCE_DATE_EPOCH } from './source-date-epoch'

export interface ScopeOptions {
  /** Values for ARG. Unknown ones are a warning. */
  buildArgs?: Readonly<Record<string, string>>
  /** Stage name or index; default: the last stage. */
  target?: string
  /** Of the image. Default: `buildPlatform`. */
  platform?: Platform
  /** Of the machine that runs the build. Default: linux/amd64. */
  buildPlatform?: Platform
  /** By name; they win over stages and images. */
  contexts?: ReadonlyMap<string, NamedContext>
  /** Images resolved so far, by the names of `baseReferences`; their ONBUILD triggers count. */
  resolved?: ReadonlyMap<string, { config: ImageConfig }>
  /** Hears of each variable that is used and never set, beside the warning. */
  onUndefined?: (found: UndefinedVariable) => void
}

export interface UndefinedVariable {
  name: string
  rule: 'UndefinedVar' | 'UndefinedArgInFrom'
  message: string
  line: number
  /** A name of the file is like it. */
  misspelt: boolean
}

export class PlanContext {
  readonly dockerfile: Dockerfile
  readonly platform: Platform
  readonly buildPlatform: Platform
  readonly contexts: NamedContexts
  readonly target: string
  readonly buildArgs: ReadonlyMap<string, string>
  /** ARG before the first FROM, and Docker's platform arguments; build arguments already applied. */
  readonly globals = new Map<string, string>()
  readonly warnings: DockerfileWarning[] = []
  /** Names of ARG instructions met, to tell which build arguments nobody asked for. */
  readonly declared = new Set<string>()
  readonly #resolved: ScopeOptions['resolved']
  readonly #onUndefined: ScopeOptions['onUndefined']
  /** Ports that EXPOSE instructions named so far. */
  exposed = 0

  constructor(dockerfile: Dockerfile, options: ScopeOptions) {
    this.dockerfile = dockerfile
    this.buildPlatform = options.buildPlatform ?? options.platform ?? { os: 'linux', architecture: 'amd64' }
    this.platform = options.platform ?? this.buildPlatform
    this.contexts = new NamedContexts(options.contexts)
    this.target = options.target ?? ''
    this.buildArgs = new Map(Object.entries(options.buildArgs ?? {}))
    this.#resolved = options.resolved
    this.#onUndefined = options.onUndefined
    for (const [name, value] of platformArgs(this.buildPlatform, this.platform, this.target))
      this.globals.set(name, this.buildArgs.get(name) ?? value)
    for (const instruction of dockerfile.globalArgs) this.#declareGlobals(instruction)
  }

  #declareGlobals(instruction: ArgInstruction): void {
    for (const { key, value } of instruction.args) {
      this.declared.add(key.text)
      const given = this.buildArgs.get(key.text) ?? (value ? this.expand(instruction, value, this.globalLookup).text : undefined)
      if (given !== undefined) this.globals.set(key.text, given)
    }
  }

  readonly globalLookup: Lookup = (name) => this.globals.get(name)

  triggersOf(reference: string): readonly string[] {
    return this.#resolved?.get(reference)?.config.OnBuild ?? []
  }

  /** A heredoc's content with variables expanded, where it asks for that. */
  expandHeredoc(place: Place, heredoc: Heredoc, content: string, lookup: Lookup): string {
    if (!heredoc.expand) return content
    try {
      return expandContent(content, lookup).text
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error
      const line = heredoc.line + (content.slice(0, error.offset).match(/\n/g)?.length ?? 0)
      throw place.source.error(error.code, error.message, { line, column: 1 })
    }
  }

  /** `declared`: names that an ARG has, with a value or without. */
  expand(
    place: Place,
    word: Word,
    lookup: Lookup,
    known: () => Iterable<string> = () => this.globals.keys(),
    declared: (name: string) => boolean = (name) => this.declared.has(name),
  ): Expansion {
    let result: Expansion
    try {
      result = expand(word.text, lookup, this.dockerfile.directives.escape)
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error
      throw this.fail(error.code, error.message, place, word.offset + error.offset)
    }
    for (const name of result.unset) {
      if (declared(name)) continue
      // `$$`, `$?`, `$1`: the user means the shell, where Docker sees a variable that is never set.
      const hint = name.length < 3 ? undefined : didYouMean(name, known(), (s) => `$${s}`)
      const rule = place.keyword === 'FROM' ? 'UndefinedArgInFrom' : 'UndefinedVar'
      const message = `Usage of undefined variable $${name.slice(0, 80)}.${hint ? ` ${hint}` : ''}`
      this.warn(rule, message, place)
      this.#onUndefined?.({ name, rule, message, line: place.range.start.line, misspelt: hint !== undefined })
    }
    return result
  }

  /** `offset` counts in the instruction's logical line. */
  fail(code: string, message: string, place: Place, offset = 0, hint?: string): DockerfileError {
    return place.source.error(code, message, positionAt(place.line, offset), { hint })
  }

  warn(rule: string, message: string, place: Place | null): void {
    if (this.warnings.length < 200) this.warnings.push({ rule, message, line: place?.range.start.line ?? null })
  }

  /** Build arguments that no ARG of the file takes. */
  unusedBuildArgs(): string[] {
    const builtin = (name: string) => PROXY_ARGS.has(name) || BUILTIN_ARGS.has(name) || name === SOURCE_DATE_EPOCH
    return [...this.buildArgs.keys()].filter((name) => !this.declared.has(name) && !this.globals.has(name) && !builtin(name))
  }
}
