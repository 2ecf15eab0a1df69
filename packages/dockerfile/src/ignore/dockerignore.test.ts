import { describe, expect, it } from 'vitest'
import { DockerfileError } from '../errors'
import { createIgnoreMatcher, parseIgnoreFile } from './dockerignore'
import { IgnoreMatcher } from './matcher'

describe('parseIgnoreFile', () => {
  it.each([
    ['comments in the first column only', '# no\n # yes\n#also no', ['# yes']],
    ['spaces around, leading and trailing slashes', '  a/b/  \n/c\n//d//e/\t\n', ['a/b', 'c', 'd/e']],
    ['exceptions with spaces', '! /x/y \n!./z', ['!x/y', '!z']],
    ['CRLF, BOM, empty lines', '\ufeffa\r\n\r\n  \r\nb', ['a', 'b']],
    ['dots are cleaned away', './a/./b/../c\n..\n../x', ['a/c', '..', '../x']],
    ['the root stays', '/\n.', ['/', '.']],
    ['a backslash stays', 'a\\*b', ['a\\*b']],
  ])('%s', (_, text, expected) => {
    expect(parseIgnoreFile(text)).toEqual(expected)
  })

  it('names the line of a bad pattern', () => {
    for (const [text, line] of [
      ['a\n[', 2],
      ['!', 1],
      ['x\n\n![-x]', 3],
      ['a[b-a]', 1],
      ['a\\', 1],
      ['[]a]', 1],
      ['[x-]', 1],
      ['[a-b-c]', 1],
    ] as const) {
      try {
        createIgnoreMatcher(text)
        expect.unreachable(text)
      } catch (error) {
        expect(error).toBeInstanceOf(DockerfileError)
        expect(error).toMatchObject({ code: 'BAD_IGNORE_PATTERN', line })
      }
    }
  })
})

describe('IgnoreMatcher', () => {
  /** [patterns, ignored, kept] */
  const table: [string[], string[], string[]][] = [
    [['node_modules'], ['node_modules', 'node_modules/a/b.js'], ['src/node_modules', 'node_modules2', 'a/node_modules/b']],
    [['*.log'], ['a.log', '.log'], ['a.logs', 'dir/a.log', 'log']],
    [['**/*.log'], ['a.log', 'x/a.log', 'x/y/.log'], ['a.log.gz', 'x/log']],
    [['**'], ['a', 'a/b', '.git/config'], []],
    [['**/'], ['a', 'a/b'], []],
    [['dir/**'], ['dir/a', 'dir/a/b'], ['dir', 'dirs/a']],
    [['dir**'], ['dir', 'dirs', 'dir/a', 'dirs/a'], ['adir']],
    [['**/secret'], ['secret', 'a/secret', 'a/b/secret', 'a/secret/file'], ['a/mysecret', 'secrets']],
    [['**secret'], ['secret', 'mysecret', 'a/mysecret', 'a/secret'], ['secrets']],
    [['**/a/**'], ['a/x', 'b/a/x/y'], ['a', 'b/a', 'ba/x']],
    [['**/a/*'], ['a/x', 'b/a/x', 'b/a/x/y'], ['a', 'ba/x']],
    [['**/**/*.txt'], ['a.txt', 'x/a.txt', 'x/y/z/a.txt'], ['a.txt2', 'x/txt']],
    [['a**/*.txt'], ['a/f.txt', 'a/d/f.txt', 'ab/f.txt', 'af.txt'], ['b/f.txt']],
    [['a/*.txt'], ['a/f.txt'], ['a/b/f.txt', 'f.txt']],
    [['a/*.txt**'], ['a/f.txt', 'a/f.txtx/y'], ['a/f.tx']],
    [['a?c'], ['abc', 'a☺c', 'a😀c'], ['a/c', 'ac', 'abbc']],
    [['a[b-d]e'], ['abe', 'ace'], ['aae', 'ae', 'abbe']],
    [['a[^b-d]e'], ['aze', 'a☺e'], ['ace', 'ae']],
    [['[a-ζ]x'], ['αx', 'zx'], ['Ax']],
    [
      ['[\\]a]', '[\\-x]y'],
      [']', 'a', '-y', 'xy'],
      ['b', 'zy'],
    ],
    [
      ['a\\*b', 'q\\?'],
      ['a*b', 'q?'],
      ['axb', 'qx'],
    ],
    [
      ['a.b', 'x+y(z)|{w}$'],
      ['a.b', 'x+y(z)|{w}$'],
      ['axb', 'xxy(z)|{w}$'],
    ],
    [['x(1)*.{y}'], ['x(1)zz.{y}'], ['x1zz.y']],
    [['.*'], ['.git', '.env', '.git/config'], ['a', 'a/.env']],
    [['*'], ['a', 'a/b', '.x'], []],
    [['*/*'], ['a/b', 'a/b/c'], ['a']],
    [['a*b*c*/f'], ['aXbXc/f', 'abc/f', 'abcc/f'], ['a/b/c/f', 'abc/ff', 'ab/f']],
    [['/'], [], ['a', 'a/b']],
    [['.'], [], ['a', '.x']],
    [['..', '../a'], [], ['a', '..a']],
    // A ^ that does not begin the pattern asserts the start of the text in Docker's translation: nothing matches.
    [['a^b*'], [], ['a^bc']],
    [['a^b'], ['a^b'], ['ab']],
    // Exceptions: the last pattern that matches wins, also through a parent.
    [['docs', '!docs/README.md'], ['docs', 'docs/x', 'docs/a/README.md'], ['docs/README.md']],
    [
      ['*.md', '!README*.md', 'README-secret.md'],
      ['a.md', 'README-secret.md'],
      ['README.md', 'README-x.md'],
    ],
    [['*.md', 'README-secret.md', '!README*.md'], ['a.md'], ['README-secret.md', 'README.md']],
    [['!a', '*'], ['a', 'b'], []],
    [
      ['**', '!src', 'src/tmp'],
      ['a', 'b/c', 'src/tmp', 'src/tmp/x'],
      ['src', 'src/a', 'src/a/b'],
    ],
    [
      ['**', '!**/*.go'],
      ['a', 'a/b.c'],
      ['x.go', 'a/b/x.go'],
    ],
    // `!a` changes nothing for `a` itself, so it is not remembered for what lies beneath: BuildKit's walk.
    [
      ['a/b', '!a', 'a/b/c'],
      ['a/b', 'a/b/c', 'a/b/d'],
      ['a', 'a/x'],
    ],
    [
      ['foo', '!foo/bar', 'foo/bar/baz'],
      ['foo/x', 'foo/bar/baz/q'],
      ['foo/bar', 'foo/bar/x'],
    ],
    [
      ['__proto__', 'constructor/*'],
      ['__proto__', '__proto__/x', 'constructor/x'],
      ['constructor', 'toString'],
    ],
    [[], [], ['a']],
  ]
  it.each(table)('%j', (patterns, ignored, kept) => {
    const matcher = createIgnoreMatcher(patterns.join('\n'))
    expect({ ignored: ignored.filter((p) => matcher.ignores(p)), kept: kept.filter((p) => !matcher.ignores(p)) }).toEqual({ ignored, kept })
  })

  it('never excludes the root', () => {
    expect(createIgnoreMatcher('**').ignores('.')).toBe(false)
  })

  it('gives the same answer in a walk as for single paths', () => {
    const matcher = createIgnoreMatcher('**\n!src\nsrc/**/tmp\n!src/a/tmp/keep')
    const top = matcher.match('src', null)
    const a = matcher.match('src/a', top.match)
    const tmp = matcher.match('src/a/tmp', a.match)
    expect([top.ignored, a.ignored, tmp.ignored]).toEqual([false, false, true])
    expect(matcher.mayHoldExceptions('src/a/tmp')).toBe(true)
    expect(matcher.mayHoldExceptions('src/b/tmp')).toBe(false)
    expect(matcher.match('src/a/tmp/keep', tmp.match).ignored).toBe(false)
    expect(matcher.match('src/a/tmp/drop', tmp.match).ignored).toBe(true)
  })

  it('answers hostile patterns in linear time', { timeout: 60_000 }, () => {
    const path = `${'a/'.repeat(500)}b`
    expect(createIgnoreMatcher(`${'**/a*/'.repeat(100)}**/c*`).ignores(path)).toBe(false)
    expect(new IgnoreMatcher([`${'*a'.repeat(500)}*c`]).ignores('a'.repeat(2000))).toBe(false)
  })
})
