import { describe, expect, it } from 'vitest'
import { GLOB_PATTERN, globMatches } from './glob'
import { quotaSentence } from './quota'
import { refusingRule, type TagRuleFacts, tagRefusal } from './tag-rules'

describe('a pattern', () => {
  it.each([
    ['*', '', true],
    ['*', 'team/api', true],
    ['v*', 'v1.2', true],
    ['v*', 'rv1', false],
    ['v?', 'v1', true],
    ['v?', 'v10', false],
    ['*-rc?', 'v1-rc-rc2', true],
    ['release-*-final', 'release-1-final', true],
    ['release-*-final', 'release-final', false],
    ['a*b*c', 'aXbXbYc', true],
    ['a*b*c', 'aXbXbY', false],
    ['team/*', 'team/api/web', true],
    ['team/*', 'team', false],
    ['', '', true],
    ['**', 'x', true],
    ['*?', '', false],
  ])('%s and %s', (pattern, text, expected) => expect(globMatches(pattern, text)).toBe(expected))

  it('takes no longer for one made to take long', () => {
    const started = process.cpuUsage().user
    expect(globMatches(`${'*a'.repeat(63)}*b`, 'a'.repeat(128))).toBe(false)
    // A matcher that tries every star again would not be done before the sun goes out.
    expect(process.cpuUsage().user - started).toBeLessThan(1_000_000)
    expect(['v*', 'team/*', 'x?'].every((p) => GLOB_PATTERN.test(p))).toBe(true)
    expect(['', '[a-z]', 'a b', 'x'.repeat(129), '(a+)+'].some((p) => GLOB_PATTERN.test(p))).toBe(false)
  })
})

describe('a rule', () => {
  const rule = (kind: TagRuleFacts['kind'], builds = false): TagRuleFacts => ({ kind, tags: 'v*', builds, ofOrganization: false })
  const says = (rules: TagRuleFacts[], deed: 'make' | 'set' | 'delete', by: 'admin' | 'build' | 'other', tag = 'v1') =>
    refusingRule(rules, { tag, deed, by }) ? 'no' : 'yes'
  it.each([
    ['immutable', false, 'make', 'yes', 'yes', 'yes'],
    ['immutable', false, 'set', 'no', 'no', 'no'],
    ['immutable', false, 'delete', 'no', 'no', 'no'],
    ['protected', false, 'make', 'yes', 'no', 'no'],
    ['protected', false, 'set', 'yes', 'no', 'no'],
    ['protected', false, 'delete', 'yes', 'no', 'no'],
    ['protected', true, 'set', 'yes', 'yes', 'no'],
    ['protected', true, 'delete', 'yes', 'no', 'no'],
  ] as const)('%s (builds: %s) %s: admin %s, build %s, others %s', (kind, builds, deed, admin, build, other) => {
    expect([
      says([rule(kind, builds)], deed, 'admin'),
      says([rule(kind, builds)], deed, 'build'),
      says([rule(kind, builds)], deed, 'other'),
    ]).toEqual([admin, build, other])
    expect(says([rule(kind, builds)], deed, 'other', 'main')).toBe('yes')
  })

  it('is named in what is said', () => {
    const said = tagRefusal({ ...rule('immutable'), ofOrganization: true }, { tag: 'v1', deed: 'set' }, 'acme/api')
    expect(said).toBe('The tag v1 is immutable by the rule "v*" of acme: it exists and stays as it is. Push under another tag.')
    expect(tagRefusal(rule('protected'), { tag: 'v1', deed: 'delete' }, 'acme/api')).toContain(
      '"v*" of acme/api: only its owners and admins may delete it',
    )
  })
})

it('tells what is used, what the limit is and what to do', () => {
  expect(quotaSentence({ what: 'bytes', used: 9_500_000, limit: 10_000_000, wanted: 800_000 }, 'acme')).toBe(
    'acme uses 9.5 MB of 10 MB in this registry, and this push needs 800 kB more. Delete images, or ask an operator of this installation to raise the limit.',
  )
  expect(quotaSentence({ what: 'repositories', used: 3, limit: 3, wanted: 1 }, 'acme')).toContain('acme has 3 of 3 repositories')
})
