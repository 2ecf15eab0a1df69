import { expect, it } from 'vitest'
import { reasonOf, shortReasonOf } from './step-reason'

it('leaves out of a reason what stands at the step that is its cause', () => {
  const step = { missReason: 'input-changed', missDetail: 'because of line 3, `COPY . .`: 2 files changed: a, b' }
  expect(shortReasonOf(step)).toBe('because of line 3, `COPY . .`')
  expect(reasonOf(step)).toBe(step.missDetail)
  expect(shortReasonOf({ missReason: 'files-changed', missDetail: '1 file changed: a' })).toBe('1 file changed: a')
  expect(shortReasonOf({ missReason: 'evicted', missDetail: null })).toBe('it had left the cache')
  expect(shortReasonOf({ missReason: null, missDetail: null })).toBeNull()
})
