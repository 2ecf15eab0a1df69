import { expect, it } from 'vitest'
import { branchTag } from './publish'
import { sharedCache, sharedCacheLines, withoutImport } from './shared-cache'

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

it('says what it did, and nothing when it did nothing', () => {
  expect(sharedCacheLines({ hits: 0, movedBytes: 0 })).toEqual([])
  expect(sharedCacheLines({ hits: 1, movedBytes: 2_000_000, problem: 'the disk has too little room' })).toHaveLength(3)
})
