/**
 * Parser directives: `# escape=\``, `# syntax=…`, `# check=…` on the first lines, before anything else.
 * https://docs.docker.com/reference/dockerfile/#parser-directives
 */
import type { Source } from './source'

export interface Directives {
  escape: '\\' | '`'
  /** Noted only: Slipway has one frontend. */
  syntax: string | null
  check: string | null
}

const NAMES = new Set(['escape', 'syntax', 'check'])

/** `# name = value` → [name in lower case, value]; null for every other line. Hand-written: linear on any input. */
function directiveOf(line: string): [string, string] | null {
  const text = line.trimStart()
  if (!text.startsWith('#')) return null
  const equals = text.indexOf('=')
  if (equals === -1) return null
  const name = text.slice(1, equals).trim()
  const value = text.slice(equals + 1).trim()
  return value !== '' && /^[a-zA-Z][a-zA-Z0-9]*$/.test(name) ? [name.toLowerCase(), value] : null
}

/** Reads the directives at the file's top. An unknown name or any other line ends them, as in Docker. */
export function readDirectives(source: Source): Directives {
  const found = new Map<string, string>()
  for (let i = 0; i < source.lines.length; i++) {
    const directive = directiveOf(source.lines[i] ?? '')
    if (!directive) break
    const [name, value] = directive
    if (!NAMES.has(name)) break
    const at = { line: i + 1, column: 1 }
    if (found.has(name)) throw source.error('DUPLICATE_DIRECTIVE', `The parser directive "${name}" may be given only once.`, at)
    if (name === 'escape' && value !== '\\' && value !== '`') {
      throw source.error('BAD_ESCAPE_DIRECTIVE', 'The escape directive takes a backslash or a backtick.', at)
    }
    found.set(name, value)
  }
  return { escape: found.get('escape') === '`' ? '`' : '\\', syntax: found.get('syntax') ?? null, check: found.get('check') ?? null }
}
