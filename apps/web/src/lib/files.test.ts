import { expect, it } from 'vitest'
import { ancestors, linkTarget, modeText } from './files'

it('writes modes as ls does', () => {
  expect(modeText({ kind: 'directory', mode: 0o755 })).toBe('drwxr-xr-x')
  expect(modeText({ kind: 'file', mode: 0o4755 })).toBe('-rwsr-xr-x')
  expect(modeText({ kind: 'file', mode: 0o2640 })).toBe('-rw-r-S---')
  expect(modeText({ kind: 'directory', mode: 0o1777 })).toBe('drwxrwxrwt')
  expect(modeText({ kind: 'directory', mode: null })).toBe('–')
})

it('follows links as a container would', () => {
  expect(linkTarget('bin', 'usr/bin')).toBe('usr/bin')
  expect(linkTarget('usr/lib/a.so', '../../opt/./a.so')).toBe('opt/a.so')
  expect(linkTarget('a/b', '/etc/passwd')).toBe('etc/passwd')
  expect(linkTarget('a', '../../../x')).toBe('x')
  expect(ancestors('a/b/c')).toEqual(['', 'a', 'a/b'])
})
