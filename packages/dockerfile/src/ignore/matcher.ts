/** Which paths a list of patterns excludes: the rules of moby/patternmatcher, on slash paths. */
import { DockerfileError } from '../errors'
import { LIMITS } from '../limits'
import { BadPattern, compile, type LinearRegexp } from './regexp'

type Rule = { exception: boolean; pattern: string } & (
  | { kind: 'exact' }
  // dir, slash, two stars
  | { kind: 'prefix'; prefix: string }
  // two stars, slash, file
  | { kind: 'suffix'; suffix: string }
  | { kind: 'regexp'; regexp: LinearRegexp }
)

/** What is known of a directory, handed to the matching of its entries: makes a walk linear. */
export interface ParentMatch {
  readonly matched: readonly boolean[]
}

const SPECIAL = /[*?[\]\\]/

const ruleOf = (pattern: string, exception: boolean): Rule => {
  if (!SPECIAL.test(pattern)) return { kind: 'exact', pattern, exception }
  // These shapes are compared without any automaton; anything else special in them makes them general.
  if (pattern.endsWith('**') && !SPECIAL.test(pattern.slice(0, -2))) {
    return pattern === '**'
      ? { kind: 'suffix', suffix: '', pattern, exception }
      : { kind: 'prefix', prefix: pattern.slice(0, -2), pattern, exception }
  }
  if (pattern.startsWith('**') && !SPECIAL.test(pattern.slice(2))) return { kind: 'suffix', suffix: pattern.slice(2), pattern, exception }
  return { kind: 'regexp', regexp: compile(pattern), pattern, exception }
}

export class IgnoreMatcher {
  readonly #rules: Rule[]
  /** Whether any pattern begins with `!`. Without one, nothing beneath an ignored directory needs a look. */
  readonly hasExceptions: boolean
  #work = 0

  /** Patterns as `parseIgnoreFile` returns them. @throws BadPattern */
  constructor(patterns: readonly string[]) {
    this.#rules = patterns.map((text) => {
      const exception = text.startsWith('!')
      const pattern = exception ? text.slice(1) : text
      if (pattern === '') throw new BadPattern('! needs a pattern')
      return ruleOf(pattern, exception)
    })
    this.hasExceptions = this.#rules.some((rule) => rule.exception)
  }

  get patterns(): string[] {
    return this.#rules.map((rule) => (rule.exception ? `!${rule.pattern}` : rule.pattern))
  }

  /** Whether the path, relative and with slashes, or one of its parents is excluded. The root (`.`) never is. */
  ignores(path: string): boolean {
    if (path === '' || path === '.') return false
    let parent: ParentMatch | null = null
    let ignored = false
    for (let slash = path.indexOf('/', 1); ; slash = path.indexOf('/', slash + 1)) {
      const result: { ignored: boolean; match: ParentMatch } = this.match(slash === -1 ? path : path.slice(0, slash), parent)
      ignored = result.ignored
      parent = result.match
      if (slash === -1) return ignored
    }
  }

  /** As `ignores`, in a walk: `parent` is the `match` of the containing directory, null at the top. */
  match(path: string, parent: ParentMatch | null): { ignored: boolean; match: ParentMatch } {
    let ignored = false
    const matched = this.#rules.map((rule, i) => {
      const inherited = parent?.matched[i] === true
      // A rule that could not change the outcome is not evaluated, but what the directory matched counts for its entries.
      const hit = inherited || (rule.exception === ignored && this.#matches(rule, path))
      if (hit) ignored = !rule.exception
      return hit
    })
    return { ignored, match: { matched } }
  }

  /** For an ignored directory in a walk: whether an exception may bring back something beneath it. */
  mayHoldExceptions(directory: string): boolean {
    const prefix = `${directory}/`
    return this.#rules.some((rule) => {
      if (!rule.exception) return false
      const special = rule.pattern.search(SPECIAL)
      if (special === -1) return rule.pattern.startsWith(prefix)
      const literal = rule.pattern.slice(0, special)
      return literal.startsWith(prefix) || prefix.startsWith(literal)
    })
  }

  #matches(rule: Rule, path: string): boolean {
    this.#work += rule.kind === 'regexp' ? rule.regexp.size * path.length : 1
    if (this.#work > LIMITS.ignoreWork) {
      throw new DockerfileError({
        code: 'IGNORE_PATTERNS_TOO_COMPLEX',
        message: 'Matching these patterns against all files takes too long. Use fewer patterns with wildcards.',
        file: '.dockerignore',
      })
    }
    switch (rule.kind) {
      case 'exact':
        return path === rule.pattern
      case 'prefix':
        return path.startsWith(rule.prefix)
      case 'suffix':
        // Two leading stars and a slash match at the top as well.
        return path.endsWith(rule.suffix) || (rule.suffix.startsWith('/') && path === rule.suffix.slice(1))
      case 'regexp':
        return rule.regexp.test(path)
    }
  }
}
