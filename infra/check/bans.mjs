import { isTest } from './sources.mjs'

/**
 * Lines that hold what may stand only elsewhere, with the reason.
 * @param {import('./sources.mjs').Source[]} sources @param {typeof import('./rules.mjs').BANS} bans
 */
export function checkBans(sources, bans) {
  const problems = []
  for (const { path, text } of sources) {
    for (const { name, pattern, applies, why, tests } of bans) {
      if (!applies(path) || (isTest(path) && !tests)) continue
      const match = withoutComments(text).match(pattern)
      if (!match) continue
      const line = text.slice(0, match.index).split('\n').length
      problems.push(`${path}:${line}: ${name}. ${why}`)
    }
  }
  return problems
}

/** Comments blanked, so that a comment may name what is banned; positions stay. */
export function withoutComments(/** @type {string} */ text) {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, ' '))
}

/** @param {import('./sources.mjs').Source[]} sources @param {number} limit */
export function checkLength(sources, limit) {
  return sources
    .map(({ path, text }) => ({ path, lines: text.split('\n').length }))
    .filter(({ path, lines }) => lines > limit && !path.endsWith('.json'))
    .map(({ path, lines }) => `${path}: ${lines} lines; a hand-written file ends at ${limit}. Split it by concept.`)
}
