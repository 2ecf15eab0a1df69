/** One call for an editor, a page and a command line: everything there is to say about a Dockerfile's text. */
import type { Finding } from '@slipway/contracts'
import { DockerfileError } from '../errors'
import { type Dockerfile, type ParseOptions, parseDockerfile } from '../parser'
import { type LintOptions, lintDockerfile, readCheckDirective } from './lint'
import { tryPlan } from './variables'

/** Never throws for what the text says: what cannot be parsed is one finding, since nothing after it can be judged. */
export function checkDockerfile(text: string, options: ParseOptions & LintOptions = {}): Finding[] {
  try {
    return checkParsed(parseDockerfile(text, options), options)
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error
    return [finding(error, 'error')]
  }
}

/** As `checkDockerfile`, of what could be parsed. Findings are errors where the `check` directive says so. */
export function checkParsed(dockerfile: Dockerfile, options: LintOptions = {}): Finding[] {
  const { skips, error } = readCheckDirective(dockerfile.directives.check)
  const severity = error ? 'error' : 'warning'
  const { variables, fault } = tryPlan(dockerfile)
  const found = [...lintDockerfile(dockerfile, options), ...variables.filter(({ rule }) => !skips(rule))].map(
    ({ rule, message, line }): Finding => ({ severity, rule, message, hint: null, line, column: null }),
  )
  // It ends a build that comes to this line; one of another target may not.
  return [...found, ...(fault ? [finding(fault, severity)] : [])].sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
}

const finding = (error: DockerfileError, severity: Finding['severity']): Finding => ({
  severity,
  rule: error.code,
  message: bare(error),
  hint: error.hint,
  line: error.line,
  column: error.column,
})

/** The message without the place before it and the hint behind it: an editor shows both where they belong. */
function bare({ message, file, line, hint }: DockerfileError): string {
  const place = `${line === null ? file : `${file}:${line}`}: `
  const after = hint ? ` ${hint}` : ''
  return message.slice(message.startsWith(place) ? place.length : 0, message.length - after.length)
}
