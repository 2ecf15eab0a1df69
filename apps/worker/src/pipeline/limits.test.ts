import { expect, it } from 'vitest'
import { buildLimits } from './limits'

const none = { buildMemoryBytes: null, buildCpuMillis: null, buildPids: null, buildDiskBytes: null, buildTimeoutSeconds: null }

it('never lets a build have the whole host, nor run for ever', () => {
  expect(buildLimits(none, 8_000_000_000)).toEqual({
    memoryBytes: 6_000_000_000,
    pids: 4096,
    diskBytes: 21_474_836_480,
    timeoutMs: 1_800_000,
  })
})
it("takes the app's own limits", () => {
  const limits = {
    buildMemoryBytes: 536_870_912n,
    buildCpuMillis: 1500,
    buildPids: 64,
    buildDiskBytes: 1_000_000_000n,
    buildTimeoutSeconds: 90,
  }
  expect(buildLimits(limits)).toEqual({ memoryBytes: 536_870_912, cpuMillis: 1500, pids: 64, diskBytes: 1_000_000_000, timeoutMs: 90_000 })
})
