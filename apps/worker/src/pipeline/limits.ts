/** Takes: an app's settings. Gives: the limits of its builds, complete. */
import { totalmem } from 'node:os'
import type { BuildRequest } from '@slipway/contracts'
import type { App } from '@slipway/db'

/** Enough for `make -j` and a test runner, far too few to fill the host's table of processes. */
const PIDS = 4096
/** Above what any sane step writes, below what a host can spare: a step that never ends does not take the disk from the others. */
const DISK = 20 * 1024 ** 3
/** Below the job's deadline, so that the engine's own words about it arrive. */
const TIMEOUT_SECONDS = 30 * 60
/** The rest is for what serves. */
const SHARE_OF_MEMORY = 0.75

type Settings = Pick<App, 'buildMemoryBytes' | 'buildCpuMillis' | 'buildPids' | 'buildDiskBytes' | 'buildTimeoutSeconds'>

/** CPU has no default limit: a build alone on the host may use all of it, and several share it evenly. */
export const buildLimits = (app: Settings, hostMemory = totalmem()): NonNullable<BuildRequest['limits']> => ({
  memoryBytes: app.buildMemoryBytes === null ? Math.floor(hostMemory * SHARE_OF_MEMORY) : Number(app.buildMemoryBytes),
  pids: app.buildPids ?? PIDS,
  diskBytes: app.buildDiskBytes === null ? DISK : Number(app.buildDiskBytes),
  timeoutMs: (app.buildTimeoutSeconds ?? TIMEOUT_SECONDS) * 1000,
  ...(app.buildCpuMillis !== null && { cpuMillis: app.buildCpuMillis }),
})
