/** Machines and the parts of this installation. */
import type { BuildPolicy } from '../agent/build-policy'
import type { ContainerView } from './deployments'

export interface HostView {
  id: string
  name: string
  state: 'online' | 'offline'
  version: string | null
  os: string | null
  kernel: string | null
  architecture: string | null
  cpus: number | null
  memoryBytes: number | null
  lastSeenAt: Date | null
  containers: ContainerView[]
  /** Who asks may change what holds for all organizations on it. */
  mayRun: boolean
}

/** What the build cache of a host keeps, for those who run the host. */
export interface BuildPolicyView {
  /** null: never set here; the host's settings file applies. */
  set: BuildPolicy | null
  /** Whether the host has it: right after a change, or when it was away, the worker still has to bring it. */
  applied: boolean
  /** What an empty field means on this host. Sizes in bytes. */
  defaults: { maxBytes: number; keepDays: number; unusedDays: number; reserveBytes: number | null; stepDiskBytes: number | null }
  disk: { total: number; free: number; reserve: number }
}

/** `GET /api/health` too. */
export interface HealthView {
  status: 'ok' | 'degraded'
  version: string
  /** True until the first account exists. */
  setup: boolean
  parts: {
    name: 'web' | 'postgres' | 'redis' | 'registry' | 'agent' | 'worker' | 'router'
    state: 'ok' | 'down'
    version: string | null
    detail: string | null
  }[]
}
