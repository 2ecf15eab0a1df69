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
}

export type Report = (rule: string, message: string, line: number) => void

const MOST = 200

/** What `# check=skip=A,B;error=true` says. */
export interface CheckDirective {
  skips: (rule: string) => boolean
  /** A finding fails the build. */
  error: boolean
}

export function readCheckDirective(text: string | null): CheckDirective {
  const skipped = new Set<string>()
  let error = false
  for (const part of (text ?? '').split(';')) {
    const equals = part.indexOf('=')
    const [key, value] = [part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim()]
    if (key === 'skip') for (const rule of value.split(',')) skipped.add(rule.trim().toLowerCase())
    if (key === 'error') error = value.toLowerCase() === 'true'
  }
  return { skips: (rule) => skipped.has('all') || skipped.has(rule.toLowerCase()), error }
}

/** Findings in the order of their lines; at most 200. What the `check` directive skips is not among them. */
export function lintDockerfile(dockerfile: Dockerfile, options: LintOptions = {}): DockerfileWarning[] {
  const out: DockerfileWarning[] = []
  const { skips } = readCheckDirective(dockerfile.directives.check)
  const report: Report = (rule, message, line) => {
    if (out.length < MOST && !skips(rule)) out.push({ rule, message, line })
  }
  lintDocker(dockerfile, options, report)
  lintAdvice(dockerfile, report)
  return out.sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
}
