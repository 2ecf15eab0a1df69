import { expect, test } from 'vitest'
import { differences, table } from './table.mjs'
import { parseTap } from './tap.mjs'

const result = (text: string, failed?: string) => ({ checks: parseTap(text), failed })

test('names are compared without what differs from run to run', () => {
  const checks = parseTap('TAP version 13\nok 1 - has /tmp/ocitest1234567\n  ---\n  x\n  ...\nnot ok 2 - b\nok 3 # SKIP c\n1..3\n')
  expect(checks).toEqual([
    { ok: true, name: 'has /tmp/ocitestN' },
    { ok: false, name: 'b' },
    { ok: true, name: '# SKIP c' },
  ])
})

test('an error without a check is a failed check', () => {
  const complaint = 'TAP version 13\n  ---\n  {\n    "error": "hooks"\n  }\n  ...\n1..0\n'
  expect(parseTap(complaint)).toEqual([{ ok: false, name: 'hooks' }])
  const [bad, good] = [new Map([['p', result(complaint)]]), new Map([['p', result('1..0\n')]])]
  expect(differences(['p'], { runc: good, ours: bad })).toEqual(['p: 1 checks failed, with runc 0'])
  expect(differences(['p'], { runc: bad, ours: good })).toEqual([])
})

test('worse is a check that only runc passes, and one that is missing', () => {
  const runc = new Map([['p', result('ok 1 - a\nok 2 - b\nok 3 - b\nnot ok 4 - c\n')]])
  const ours = new Map([['p', result('not ok 1 - a\nok 2 - b\nok 4 - d\nnot ok 5 - c\n', 'ended with 1')]])
  expect(differences(['p'], { runc, ours })).toEqual([
    'p: ended with 1',
    'p: a (1 of 1)',
    'p: b (1 of 2)',
    'p: 2 checks failed, with runc 1',
  ])
  expect(differences(['p'], { runc: ours, ours: runc })).toEqual(['p: d (1 of 1)'])
  expect(table(['p'], { runc, ours })).toContain('| p | 3 | 1 | 2 | 2 (ended with 1) |')
})
