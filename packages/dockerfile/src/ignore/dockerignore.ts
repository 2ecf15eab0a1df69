/** `.dockerignore`: text → patterns → matcher. */
import { DockerfileError } from '../errors'
import { LIMITS } from '../limits'
import { cleanPath } from '../plan/paths'
import { IgnoreMatcher } from './matcher'
import { BadPattern } from './regexp'

/**
 * Patterns of a .dockerignore in their cleaned form. `#` begins a comment in the first column only; white space around a
 * pattern, a leading slash and trailing slashes are dropped; `!` makes an exception.
 */
export function parseIgnoreFile(text: string, file = '.dockerignore'): string[] {
  return numberedPatterns(text, file).map(({ pattern }) => pattern)
}

function numberedPatterns(text: string, file: string): { pattern: string; line: number; source: string }[] {
  if (text.length > LIMITS.ignoreFileLength) {
    throw new DockerfileError({
      code: 'IGNORE_FILE_TOO_LARGE',
      message: 'The file is larger than 256 KiB. Use fewer, wider patterns.',
      file,
    })
  }
  const out: { pattern: string; line: number; source: string }[] = []
  const lines = (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text).split('\n')
  for (const [index, source] of lines.entries()) {
    if (source.startsWith('#')) continue
    let pattern = source.trim()
    if (pattern === '') continue
    const exception = pattern.startsWith('!')
    if (exception) pattern = pattern.slice(1).trim()
    if (pattern !== '') {
      pattern = cleanPath(pattern)
      if (pattern.length > 1 && pattern.startsWith('/')) pattern = pattern.slice(1)
    }
    const line = index + 1
    const fail = (message: string) => new DockerfileError({ code: 'BAD_IGNORE_PATTERN', message, file, at: { line, column: 1 }, source })
    if (pattern.length > LIMITS.ignorePatternLength) throw fail('The pattern is longer than 4096 characters.')
    if (out.length >= LIMITS.ignorePatterns) throw fail(`There are more than ${LIMITS.ignorePatterns} patterns.`)
    out.push({ pattern: exception ? `!${pattern}` : pattern, line, source })
  }
  return out
}

/** @throws DockerfileError with the line of a pattern that is malformed, as Docker refuses it too. */
export function createIgnoreMatcher(text: string, file = '.dockerignore'): IgnoreMatcher {
  const patterns = numberedPatterns(text, file)
  for (const { pattern, line, source } of patterns) {
    try {
      new IgnoreMatcher([pattern])
    } catch (error) {
      if (!(error instanceof BadPattern)) throw error
      throw new DockerfileError({
        code: 'BAD_IGNORE_PATTERN',
        message: `The pattern ${pattern.slice(0, 80)} is malformed: ${error.message}.`,
        file,
        at: { line, column: 1 },
        source,
        cause: error,
      })
    }
  }
  return new IgnoreMatcher(patterns.map(({ pattern }) => pattern))
}
