// What two runtimes passed, side by side.
import { count } from './tap.mjs'

/** @param {string[]} programs @param {{ runc: Map<string, any>, ours: Map<string, any> }} results */
export function table(programs, { runc, ours }) {
  const rows = programs.map((program) => [program, ...cells(runc.get(program)), ...cells(ours.get(program))])
  const sum = (column) => rows.reduce((total, row) => total + (Number.parseInt(row[column], 10) || 0), 0)
  rows.push(['**all**', ...[1, 2, 3, 4].map((column) => String(sum(column)))])
  const head = ['Program', 'runc ok', 'not ok', 'ours ok', 'not ok']
  return [head, ['---', '---:', '---:', '---:', '---:'], ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function cells({ checks, failed }) {
  const { ok, notOk } = count(checks)
  return [String(ok), failed ? `${notOk} (${failed})` : String(notOk)]
}

/**
 * Where ours is worse: a check that runc passes and ours does not, or does not come to; a program of which ours fails more
 * checks, or that ends well with runc only.
 * @returns {string[]} a line for each
 */
export function differences(programs, { runc, ours }) {
  const worse = []
  for (const program of programs) {
    const [theirs, own] = [runc.get(program), ours.get(program)]
    if (own.failed && !theirs.failed) worse.push(`${program}: ${own.failed}`)
    const passed = tally(own.checks)
    for (const [name, times] of tally(theirs.checks)) {
      const missing = times - (passed.get(name) ?? 0)
      if (missing > 0) worse.push(`${program}: ${name || 'a check without a name'} (${missing} of ${times})`)
    }
    // A program that gave up has not come to all of its checks.
    const [more, less] = [count(own.checks).notOk, count(theirs.checks).notOk]
    if (more > less && !theirs.failed) worse.push(`${program}: ${more} checks failed, with runc ${less}`)
  }
  return worse
}

/** How often each check was passed. */
function tally(checks) {
  const times = new Map()
  for (const { name, ok } of checks) if (ok) times.set(name, (times.get(name) ?? 0) + 1)
  return times
}
