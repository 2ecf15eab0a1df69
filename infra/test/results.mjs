// How many tests passed, from what the runners write.

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

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
