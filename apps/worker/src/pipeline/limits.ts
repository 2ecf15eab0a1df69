/** Takes: an app's settings, and how many builds share the host. Gives: the limits of its builds, complete. */
import { totalmem } from 'node:os'
import type { BuildRequest } from '@slipway/contracts'
import type { App } from '@slipway/db'

/** Enough for `make -j` and a test runner, far too few to fill the host's table of processes. */
const PIDS = 4096
/** Above what any sane step writes, below what a host can spare: a step that never ends does not take the disk from the others. */
const DISK = 20 * 1024 ** 3
/** Below the job's deadline, so that the engine's own words about it arrive. */
const TIMEOUT_SECONDS = 30 * 60
/** Of all builds that run at once; the rest is for what serves. */
const SHARE_OF_MEMORY = 0.75
/** With less than this hardly anything builds; a host of many slots and little memory rather runs short when all are taken. */
const LEAST_MEMORY = 512 * 1024 ** 2

type Settings = Pick<App, 'buildMemoryBytes' | 'buildCpuMillis' | 'buildPids' | 'buildDiskBytes' | 'buildTimeoutSeconds'>

function defaultMemory(atOnce: number, hostMemory: number): number {
  const all = Math.floor(hostMemory * SHARE_OF_MEMORY)
  return Math.min(all, Math.max(Math.floor(all / atOnce), LEAST_MEMORY))
}

/** `atOnce`: builds that may run at the same time. CPU has no default limit: a build alone on the host may use all of it, and several share it evenly. */
export const buildLimits = (app: Settings, atOnce: number, hostMemory = totalmem()): NonNullable<BuildRequest['limits']> => ({
  memoryBytes: app.buildMemoryBytes === null ? defaultMemory(atOnce, hostMemory) : Number(app.buildMemoryBytes),
  pids: app.buildPids ?? PIDS,
  diskBytes: app.buildDiskBytes === null ? DISK : Number(app.buildDiskBytes),
  timeoutMs: (app.buildTimeoutSeconds ?? TIMEOUT_SECONDS) * 1000,
  ...(app.buildCpuMillis !== null && { cpuMillis: app.buildCpuMillis }),
})
