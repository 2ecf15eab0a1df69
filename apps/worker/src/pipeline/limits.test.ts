import { expect, it } from 'vitest'
import { buildLimits } from './limits'

const none = { buildMemoryBytes: null, buildCpuMillis: null, buildPids: null, buildDiskBytes: null, buildTimeoutSeconds: null }
const memory = (bytes: number, atOnce: number) => buildLimits(none, atOnce, bytes).memoryBytes

it('never lets a build have the whole host, nor run for ever', () => {
  expect(buildLimits(none, 1, 8_000_000_000)).toEqual({
    memoryBytes: 6_000_000_000,
    pids: 4096,
    diskBytes: 21_474_836_480,
    timeoutMs: 1_800_000,
  })
})
it('never lets the builds of all slots together have more than one may have alone', () => {
  expect(memory(8_000_000_000, 2)).toBe(3_000_000_000)
  expect(memory(8_000_000_000, 4)).toBe(1_500_000_000)
})
it('gives each enough for a small build, and on a small host no more than one may have alone', () => {
  expect(memory(8_000_000_000, 32)).toBe(512 * 1024 ** 2)
  expect(memory(600_000_000, 2)).toBe(450_000_000)
})
it("takes the app's own limits", () => {
  const limits = {
    buildMemoryBytes: 536_870_912n,
    buildCpuMillis: 1500,
    buildPids: 64,
    buildDiskBytes: 1_000_000_000n,
    buildTimeoutSeconds: 90,
  }
  const expected = { memoryBytes: 536_870_912, cpuMillis: 1500, pids: 64, diskBytes: 1_000_000_000, timeoutMs: 90_000 }
  expect(buildLimits(limits, 4, 8_000_000_000)).toEqual(expected)
})
