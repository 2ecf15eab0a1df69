/** One call for an editor, a page and a command line: everything there is to say about a Dockerfile's text. */
import type { Finding } from '@slipway/contracts'
import { DockerfileError } from '../errors'
import { type ParseOptions, parseDockerfile } from '../parser'
import { type LintOptions, lintDockerfile } from './lint'

/** Never throws for what the text says: what cannot be parsed is one finding, since nothing after it can be judged. */
export function checkDockerfile(text: string, options: ParseOptions & LintOptions = {}): Finding[] {
  try {
    const dockerfile = parseDockerfile(text, options)
    return [...dockerfile.warnings, ...lintDockerfile(dockerfile, options)].map(({ rule, message, line }) => ({
      severity: 'warning',
      rule,
      message,
      hint: null,
      line,
      column: null,
    }))
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error
    return [{ severity: 'error', rule: error.code, message: bare(error), hint: error.hint, line: error.line, column: error.column }]
  }
}

/** The message without the place before it and the hint behind it: an editor shows both where they belong. */
function bare({ message, file, line, hint }: DockerfileError): string {
  const place = `${line === null ? file : `${file}:${line}`}: `
  const after = hint ? ` ${hint}` : ''
  return message.slice(message.startsWith(place) ? place.length : 0, message.length - after.length)
}
