/**
 * The same folders built by us and by BuildKit in Debian's dockerd: files (type, mode, owner, size, content, link target,
 * hard links, capability, time where it is kept) and config must be equal, and both must refuse the same.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Builders, startBuilders } from './builders'
import type { Case } from './case'
import { TOPICS } from './cases'
import { differences } from './compare'
import { savedImage } from './image'

let builders: Builders
beforeAll(async () => {
  builders = await startBuilders()
})
afterAll(() => builders?.stop())

describe.concurrent.each(Object.entries(TOPICS))('%s', (_topic, cases) => {
  it.concurrent.each(cases.map((test) => [test.name, test] as const))('%s', async (_name, test) => {
    const { ours, theirs } = builders
    const [our, their] = await Promise.all([ours.build(test), theirs.build(test)])
    if (test.refused) return refusedByBoth(test, our, their)
    if (test.only) {
      const built = { ours: 'image' in our, theirs: 'image' in their }
      expect(built, JSON.stringify([our, their])).toEqual({ ours: test.only.builder === 'ours', theirs: test.only.builder === 'theirs' })
      return
    }
    expect([our, their], JSON.stringify([our, their])).toEqual([{ image: expect.any(String) }, { image: expect.any(String) }])
    if (!('image' in our && 'image' in their)) return
    const [a, b] = await Promise.all([savedImage(ours.socketPath, our.image), savedImage(theirs.socketPath, their.image)])
    const found = differences(a, b)
    const expected = test.differs?.lines ?? []
    const surprising = found.filter((line) => !expected.some((start) => line.startsWith(start)))
    expect(surprising, `ours ≠ theirs:\n${surprising.join('\n')}`).toEqual([])
    expect(expected.filter((start) => !found.some((line) => line.startsWith(start)))).toEqual([])
  })
})

type Outcome = Awaited<ReturnType<Builders['ours']['build']>>

function refusedByBoth(test: Case, our: Outcome, their: Outcome): void {
  expect([our, their], JSON.stringify([our, their])).toEqual([
    { refused: expect.any(String), code: test.refused === true ? expect.not.stringMatching(/^INTERNAL$/) : test.refused },
    { refused: expect.any(String), code: expect.any(String) },
  ])
}
