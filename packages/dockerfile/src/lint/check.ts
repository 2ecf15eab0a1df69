/** One call for an editor, a page and a command line: everything there is to say about a Dockerfile's text. */
import { DockerfileError } from '../errors'
import { type ParseOptions, parseDockerfile } from '../parser'
import { type LintOptions, lintDockerfile } from './lint'

export interface Finding {
  /** `error`: no build is possible before it is mended. */
  severity: 'error' | 'warning'
  /** An error's code, or the rule's name as `docker build --check` writes it. */
  rule: string
  message: string
  /** What to write instead, when that is known. */
  hint: string | null
  /** 1-based; null: about the file as a whole. */
  line: number | null
  column: number | null
}

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
