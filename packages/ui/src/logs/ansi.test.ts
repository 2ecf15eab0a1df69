import { expect, it } from 'vitest'
import { parseAnsi, stripAnsi } from './ansi'

it('keeps colours and drops everything else', () => {
  expect(parseAnsi('\x1b[32m✓\x1b[0m ok \x1b[1;31mbad\x1b[39;22m.')).toEqual([
    { text: '✓', color: 'green', bold: false },
    { text: ' ok ', color: null, bold: false },
    { text: 'bad', color: 'red', bold: true },
    { text: '.', color: null, bold: false },
  ])
  expect(stripAnsi('\x1b[2K\x1b[1Ghello\x07\x1b]0;title\x07')).toBe('hello')
})
it('shows the last state of a progress line', () => {
  expect(stripAnsi('10%\r50%\r100%')).toBe('100%')
  expect(stripAnsi('100%\r')).toBe('100%')
})
it('ignores extended colours', () => {
  expect(parseAnsi('\x1b[38;5;31mx')).toEqual([{ text: 'x', color: null, bold: false }])
})
