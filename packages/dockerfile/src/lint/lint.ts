/**
 * Checks that need no build: the rules of `docker build --check` under their published names, and our own advice on the order of
 * the cache and on size. https://docs.docker.com/reference/build-checks/
 */
import type { DockerfileWarning } from '../errors'
import type { IgnoreMatcher } from '../ignore/matcher'
import type { Dockerfile } from '../parser'
import { lintAdvice } from './advice'
import { lintDocker } from './docker'

export interface LintOptions {
  /** Of the context: a COPY of what it leaves out is told. */
  ignore?: IgnoreMatcher
  /** Names of what the build is given as secrets and as nothing else: an ARG of one is told. */
  secrets?: readonly string[]
}

export type Report = (rule: string, message: string, line: number) => void

const MOST = 200

/** Told only where the directive asks for them. */
const EXPERIMENTAL: ReadonlySet<string> = new Set(['InvalidDefinitionDescription'])

/** What `# check=skip=A,B;error=true;experimental=C` says. */
export interface CheckDirective {
  skips: (rule: string) => boolean
  /** A finding fails the build. */
  error: boolean
}

export function readCheckDirective(text: string | null): CheckDirective {
  const skipped = new Set<string>()
  const asked = new Set<string>()
  let error = false
  for (const part of (text ?? '').split(';')) {
    const equals = part.indexOf('=')
    const [key, value] = [part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim()]
    const rules = value.split(',').map((rule) => rule.trim().toLowerCase())
    if (key === 'skip') for (const rule of rules) skipped.add(rule)
    if (key === 'experimental') for (const rule of rules) asked.add(rule)
    if (key === 'error') error = value.toLowerCase() === 'true'
  }
  const names = (set: Set<string>, rule: string) => set.has('all') || set.has(rule.toLowerCase())
  return { skips: (rule) => names(skipped, rule) || (EXPERIMENTAL.has(rule) && !names(asked, rule)), error }
}

/** What the parser noticed and what lint finds, in the order of their lines; at most 200. What the `check` directive skips is not among them. */
export function lintDockerfile(dockerfile: Dockerfile, options: LintOptions = {}): DockerfileWarning[] {
  const out: DockerfileWarning[] = []
  const { skips } = readCheckDirective(dockerfile.directives.check)
  const report: Report = (rule, message, line) => {
    if (out.length < MOST && !skips(rule)) out.push({ rule, message, line })
  }
  for (const { rule, message, line } of dockerfile.warnings) report(rule, message, line ?? 1)
  lintDocker(dockerfile, options, report)
  lintAdvice(dockerfile, report)
  return out.sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
}
