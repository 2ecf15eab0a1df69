// How many tests passed, from what the runners write.

/**
 * `flaky` names what failed once and passed when it was run again; `told` is what failed tests said, a paragraph each.
 * @typedef {{ passed: number, failed: number, skipped: number, flaky?: string[], told?: string[] }} Counts
 */

/** A failed test's paragraph: enough to see why, little enough that the summary is read. */
const TOLD_LINES = 15
const cut = (text) => text.trim().split('\n').slice(0, TOLD_LINES).join('\n')

/** Sums “test result: ok. 12 passed; 0 failed; 1 ignored; …”, one per test binary. @param {string} output @returns {Counts} */
export function countCargo(output) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const [, passed, failed, ignored] of output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm)) {
    counts.passed += Number(passed)
    counts.failed += Number(failed)
    counts.skipped += Number(ignored)
  }
  return counts
}

/**
 * Counts of Vitest's JSON report. A file that could not be loaded has no tests and still failed.
 * @param {{ numPassedTests: number, numFailedTests: number, numPendingTests?: number, numTodoTests?: number,
 *   testResults: { status: string, assertionResults: { status: string }[] }[] }} report
 * @returns {Counts}
 */
export function countVitest(report) {
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0),
  }
}

/** A suite that ended badly without a failed test (it did not compile, it was killed) has failed once. @param {Counts} counts @param {boolean} ok @returns {Counts} */
export const atLeastOneFailure = (counts, ok) => (ok || counts.failed > 0 ? counts : { ...counts, failed: 1 })

/** What cargo says at its end with --no-fail-fast: "    `-p slipway-agent --test faults`", as arguments. @param {string} output @returns {string[][]} */
export const failedTargets = (output) => {
  const list = output.match(/^error: \d+ targets? failed:\n((?: +`[^`]*`\n?)+)/m)?.[1] ?? ''
  return [...list.matchAll(/`([^`]*)`/g)].map(([, target]) => target.split(' '))
}

/**
 * What the failed tests of cargo said, and which ones a test binary was in when it was ended at its deadline: of those only
 * libtest's “has been running for over 60 seconds” tells.
 * @param {string} output @returns {string[]}
 */
export function toldByCargo(output) {
  const failed = [...output.matchAll(/^---- (\S+) stdout ----\n([\s\S]*?)(?=^---- \S+ stdout ----\n|^failures:$)/gm)]
  const slow = [...output.matchAll(/^test (\S+) has been running for over/gm)].map(([, name]) => name)
  const hung = slow.filter((name) => !output.includes(`\ntest ${name} ... `))
  return [...failed.map(([, name, said]) => `${name}\n${cut(said)}`), ...hung.map((name) => `${name}\nhad not ended`)]
}

/** What the failed tests of a Vitest report said. @param {{ testResults: { name: string, message?: string, assertionResults: { status: string, fullName?: string, failureMessages?: string[] }[] }[] } | undefined} report */
export const toldByVitest = (report) =>
  (report?.testResults ?? []).flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (failed.length === 0) return message ? [`${name}\n${cut(message)}`] : []
    return failed.map((test) => `${name} > ${test.fullName}\n${cut((test.failureMessages ?? []).join('\n'))}`)
  })

/** Files of a Vitest report in which something failed. @param {{ testResults: { name: string, status: string }[] } | undefined} report */
export const failedFiles = (report) => (report?.testResults ?? []).filter((file) => file.status === 'failed').map((file) => file.name)

/**
 * Tests of whole systems share two cores with everything else that a machine of CI does; what failed is run once more, by
 * itself. What fails again has failed. What passes then counts, and is named, so that it gets mended.
 * @param {Counts} first @param {Counts} again @param {string[]} names @returns {Counts}
 */
export const afterSecondRun = (first, again, names) => ({
  ...first,
  told: [...(first.told ?? []), ...(again.told ?? []).map((said) => `again: ${said}`)],
  passed: again.failed === 0 ? first.passed + first.failed : first.passed,
  failed: again.failed,
  flaky: again.failed === 0 ? names : [],
})
