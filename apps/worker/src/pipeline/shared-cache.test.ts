import { expect, it } from 'vitest'
import { branchTag } from './publish'
import { pullRequestCache, sharedCache, sharedCacheLines, withoutImport } from './shared-cache'

const repository = 'slipway.local/acme/shop'

it("is the app's own repository, under a tag that no branch gets", () => {
  const reference = `${repository}:slipway-build-cache`
  expect(sharedCache({ buildCacheShare: 'off' }, repository)).toBeUndefined()
  expect(sharedCache({ buildCacheShare: 'image' }, repository)).toEqual({ from: [reference], to: { reference, mode: 'min' } })
  expect(sharedCache({ buildCacheShare: 'all' }, repository)).toEqual({ from: [reference], to: { reference, mode: 'max' } })
  expect(branchTag('slipway/build-cache')).not.toBe('slipway-build-cache')
  expect(branchTag('slipway-build-cache')).not.toBe('slipway-build-cache')
  expect(branchTag('feature/x')).toBe('feature-x')
})

it('is done without once it was found unusable, and left anew', () => {
  const cache = sharedCache({ buildCacheShare: 'all' }, repository)
  const request = { id: 'b', scope: 'o', tags: [], plan: {} as never, cache }
  expect(withoutImport(request).cache).toEqual({ to: cache?.to })
  expect(withoutImport({ ...request, cache: undefined }).cache).toBeUndefined()
})

it('is read by a pull request and left as it is; a fork has the host’s to read, and writes to none', () => {
  const usual = sharedCache({ buildCacheShare: 'all' }, repository)
  expect(pullRequestCache(usual, false)).toEqual({ from: usual?.from })
  expect(pullRequestCache(undefined, false)).toBeUndefined()
  expect(pullRequestCache(usual, true)).toEqual({ write: false })
  expect(pullRequestCache(undefined, true)).toEqual({ write: false })
  const request = { id: 'b', scope: 'o', tags: [], plan: {} as never, cache: pullRequestCache(usual, true) }
  expect(withoutImport(request).cache, 'also the second time').toEqual({ write: false })
})

it('says what it did, and nothing when it did nothing', () => {
  expect(sharedCacheLines({ hits: 0, movedBytes: 0 })).toEqual([])
  expect(sharedCacheLines({ hits: 1, movedBytes: 2_000_000, problem: 'the disk has too little room' })).toHaveLength(3)
})
