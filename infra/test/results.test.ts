import { expect, it } from 'vitest'
import {
  afterSecondRun,
  atLeastOneFailure,
  countCargo,
  countVitest,
  failedFiles,
  failedTargets,
  toldByCargo,
  toldByVitest,
} from './results.mjs'

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

it('finds what to run again', () => {
  const output =
    'error: test failed, to rerun pass `-p slipway-agent --test faults`\nerror: 2 targets failed:\n    `-p slipway-agent --test faults`\n    `-p slipway-net --lib`\n'
  expect(failedTargets(output)).toEqual([
    ['-p', 'slipway-agent', '--test', 'faults'],
    ['-p', 'slipway-net', '--lib'],
  ])
  expect(failedTargets('error: could not compile `slipway-agent`\n')).toEqual([])
  expect(failedFiles({ testResults: [file('a.test.ts', 'failed'), file('b.test.ts', 'passed')] })).toEqual(['a.test.ts'])
  expect(failedFiles(undefined)).toEqual([])
})

it('counts what passed when it was run again, and names it', () => {
  const first = { passed: 10, failed: 2, skipped: 1 }
  const passed = afterSecondRun(first, { passed: 6, failed: 0, skipped: 0 }, ['a'])
  expect(passed).toEqual({ passed: 12, failed: 0, skipped: 1, flaky: ['a'], told: [] })
  const failed = afterSecondRun({ ...first, told: ['b'] }, { passed: 5, failed: 1, skipped: 0, told: ['b'] }, ['a'])
  expect(failed).toEqual({ passed: 10, failed: 1, skipped: 1, flaky: [], told: ['b', 'again: b'] })
})

it('tells what failed tests of cargo said, and which one did not end', () => {
  const output = `running 4 tests
test fine ... ok
test slow has been running for over 60 seconds
test hung has been running for over 60 seconds
test slow ... ok
test wrong ... FAILED
failures:

---- wrong stdout ----

thread 'wrong' panicked at src/a.rs:1:2:
assertion failed

---- bad stdout ----
${'line\n'.repeat(50)}
failures:
    wrong
`
  const [wrong, bad, hung, ...rest] = toldByCargo(output)
  expect(wrong).toBe("wrong\nthread 'wrong' panicked at src/a.rs:1:2:\nassertion failed")
  expect(bad?.split('\n')).toHaveLength(16)
  expect(hung).toBe('hung\nhad not ended')
  expect(rest).toEqual([])
})

it('tells what failed tests of Vitest said', () => {
  const failed = { status: 'failed', fullName: 'a > b', failureMessages: ['Error: no'] }
  const testResults = [
    { name: 'x.test.ts', status: 'failed', assertionResults: [failed, { status: 'passed', fullName: 'c' }] },
    { name: 'y.test.ts', status: 'failed', message: 'does not load', assertionResults: [] },
    { name: 'z.test.ts', status: 'passed', message: '', assertionResults: [] },
  ]
  expect(toldByVitest({ testResults })).toEqual(['x.test.ts > a > b\nError: no', 'y.test.ts\ndoes not load'])
  expect(toldByVitest(undefined)).toEqual([])
})

const file = (name: string, status: string) => ({ name, status })
