import { expect, it } from 'vitest'
import { atLeastOneFailure, countCargo, countVitest } from './results.mjs'

it('sums the test binaries of cargo', () => {
  const output = `running 3 tests
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
`
  expect(countCargo(output)).toEqual({ passed: 5, failed: 1, skipped: 1 })
})

it('counts files that could not be loaded as failed', () => {
  const report = {
    numPassedTests: 4,
    numFailedTests: 1,
    numPendingTests: 2,
    testResults: [
      { status: 'failed', assertionResults: [{ status: 'failed' }] },
      { status: 'failed', assertionResults: [] },
      { status: 'passed', assertionResults: [{ status: 'passed' }] },
    ],
  }
  expect(countVitest(report)).toEqual({ passed: 4, failed: 2, skipped: 2 })
})

it('has one failure when a runner ends badly without naming any', () => {
  expect(atLeastOneFailure({ passed: 0, failed: 0, skipped: 0 }, false).failed).toBe(1)
  expect(atLeastOneFailure({ passed: 3, failed: 2, skipped: 0 }, false).failed).toBe(2)
  expect(atLeastOneFailure({ passed: 3, failed: 0, skipped: 0 }, true).failed).toBe(0)
})
