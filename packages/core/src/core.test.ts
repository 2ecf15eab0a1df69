import { describe, expect, it } from 'vitest'
import {
  AppError,
  BUILD_STATES,
  canBuildGo,
  canDeploymentGo,
  canRollBackTo,
  DEPLOYMENT_STATES,
  formatAgo,
  formatBytes,
  formatDuration,
  isBuildOver,
  isDeploymentSettled,
  newId,
  SLUG_PATTERN,
  shortDigest,
  slugify,
  toAppError,
} from './index'

describe('errors', () => {
  it('keeps an AppError as it is, and hides what is not one', () => {
    const known = new AppError({ kind: 'conflict', code: 'NAME_TAKEN', message: 'Choose another name.' })
    expect(toAppError(known)).toBe(known)
    expect(known.status).toBe(409)
    const hidden = toAppError(new Error('password=hunter2'))
    expect(hidden).toMatchObject({ kind: 'internal', code: 'INTERNAL', status: 500 })
    expect(hidden.message).not.toContain('hunter2')
    expect((hidden.cause as Error).message).toBe('password=hunter2')
  })
})

describe('states', () => {
  it('nothing leaves an end', () => {
    for (const from of BUILD_STATES.filter(isBuildOver)) for (const to of BUILD_STATES) expect(canBuildGo(from, to)).toBe(false)
  })

  it('every state of a deployment can be reached from queued, and only one that served can be rolled back to', () => {
    const reached = new Set(['queued'])
    for (let before = 0; before !== reached.size; ) {
      before = reached.size
      for (const from of DEPLOYMENT_STATES)
        for (const to of DEPLOYMENT_STATES) if (reached.has(from) && canDeploymentGo(from, to)) reached.add(to)
    }
    expect([...reached].sort()).toEqual([...DEPLOYMENT_STATES].sort())
    expect(DEPLOYMENT_STATES.filter(canRollBackTo)).toEqual(['retired'])
    expect(isDeploymentSettled('serving')).toBe(true)
    // Once traffic is being switched it is too late to cancel.
    expect(canDeploymentGo('switching', 'canceled')).toBe(false)
  })
})

describe('ids', () => {
  it('tell their kind, sort by time and do not repeat', () => {
    const ids = [1, 2, 3].map((second) => newId('build', Date.UTC(2026, 0, 1, 0, 0, second)))
    expect([...ids].sort()).toEqual(ids)
    expect(ids[0]).toMatch(/^bld_[0-9a-hjkmnp-tv-z]{22}$/)
    expect(new Set(Array.from({ length: 10_000 }, () => newId('app'))).size).toBe(10_000)
  })

  it.each([
    ['My Shop!', 'my-shop'],
    ['  Crème brûlée  ', 'creme-brulee'],
    ['--a--b--', 'a-b'],
    ['日本', ''],
    ['x'.repeat(60), 'x'.repeat(48)],
  ])('slug of %s', (text, slug) => {
    expect(slugify(text)).toBe(slug)
    if (slug) expect(slug).toMatch(SLUG_PATTERN)
  })

  it.each(['', '-a', 'a-', 'a--b', 'A', 'a_b', 'a.b', '../x', 'x'.repeat(49)])('%s is no slug', (text) => {
    expect(SLUG_PATTERN.test(text)).toBe(false)
  })
})

describe('units', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [61_000, '61 kB'],
    [84_200_000, '84.2 MB'],
    [999_960, '1 MB'],
    [1_100_000n, '1.1 MB'],
    [277e9, '277 GB'],
  ])('%s bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

  it.each([
    [0, '0 ms'],
    [99, '99 ms'],
    [400, '0.4 s'],
    [2400, '2.4 s'],
    [24_000, '24 s'],
    [184_000, '3 min 4 s'],
    [8_040_000, '2 h 14 min'],
  ])('%s ms', (ms, text) => expect(formatDuration(ms)).toBe(text))

  it('time past, never in the future', () => {
    const now = Date.UTC(2026, 10, 20)
    expect([-5, 2, 14, 300, 7200, 100_000, 864_000].map((s) => formatAgo(now - s * 1000, now))).toEqual([
      'just now',
      'just now',
      '14 s ago',
      '5 min ago',
      '2 h ago',
      'yesterday',
      '10 d ago',
    ])
    expect(formatAgo(Date.UTC(2025, 0, 1), now)).toBe('2025-01-01')
    expect(shortDigest(`sha256:${'9f0c6b1e41d7aa'.padEnd(64, '0')}`)).toBe('sha256:9f0c6b1e41d7')
  })
})
