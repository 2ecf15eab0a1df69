/** Machines and the parts of this installation. */
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
