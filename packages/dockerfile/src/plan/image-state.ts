/** The image configuration while a stage is planned. Maps and sets, because names are the user's (`__proto__` is a fine label). */
import type { ImageConfig } from '@slipway/contracts'

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const DEFAULT_SHELL = ['/bin/sh', '-c']

export interface HistoryEntry {
  createdBy: string
  vertex: string | null
}

/** `KEY=value` list → map; a repeated key keeps its first place and its last value. */
export function envMap(list: readonly string[]): Map<string, string> {
  const out = new Map<string, string>()
  for (const entry of list) {
    const equals = entry.indexOf('=')
    if (equals === -1) out.set(entry, '')
    else out.set(entry.slice(0, equals), entry.slice(equals + 1))
  }
  return out
}

export const envList = (env: ReadonlyMap<string, string>): string[] => [...env].map(([key, value]) => `${key}=${value}`)

export class ImageState {
  /** ENV only: what the image carries. */
  env = new Map<string, string>()
  /** What RUN and expansion see: ENV and ARG, the later one wins. */
  scope = new Map<string, string>()
  /** ARG names in order, for the history of RUN. */
  args: string[] = []
  user = ''
  workdir = ''
  entrypoint: string[] | undefined
  cmd: string[] | undefined
  stopSignal: string | undefined
  healthcheck: ImageConfig['Healthcheck']
  shell: string[] | undefined
  author: string | undefined
  labels = new Map<string, string>()
  volumes = new Set<string>()
  ports = new Set<string>()
  history: HistoryEntry[] = []
  /** Of this stage itself: those of its base have run by then. */
  onBuild: string[] = []
  /** Set by a CMD of this stage; an ENTRYPOINT resets an inherited CMD only. */
  cmdSet = false

  /** State at the start of a stage based on an image, or on scratch (`{}`). JSON nulls of foreign configs count as unset. */
  static of(config: ImageConfig): ImageState {
    const state = new ImageState()
    state.env = envMap(config.Env ?? [])
    if (!state.env.has('PATH')) state.env.set('PATH', DEFAULT_PATH)
    state.scope = new Map(state.env)
    state.user = config.User ?? ''
    state.workdir = config.WorkingDir ?? ''
    state.entrypoint = config.Entrypoint ?? undefined
    state.cmd = config.Cmd ?? undefined
    state.stopSignal = config.StopSignal ?? undefined
    state.healthcheck = config.Healthcheck ?? undefined
    state.shell = config.Shell?.length ? config.Shell : undefined
    state.labels = new Map(Object.entries(config.Labels ?? {}))
    state.volumes = new Set(Object.keys(config.Volumes ?? {}))
    state.ports = new Set(Object.keys(config.ExposedPorts ?? {}))
    return state
  }

  /** State at the start of `FROM <stage>`: everything is inherited, ARGs too. */
  child(): ImageState {
    const state = Object.assign(new ImageState(), this)
    state.env = new Map(this.env)
    state.scope = new Map(this.scope)
    state.args = [...this.args]
    state.labels = new Map(this.labels)
    state.volumes = new Set(this.volumes)
    state.ports = new Set(this.ports)
    state.history = [...this.history]
    state.cmdSet = false
    state.onBuild = []
    return state
  }

  get shellArgs(): string[] {
    return this.shell ?? DEFAULT_SHELL
  }

  toConfig(): ImageConfig {
    const config: ImageConfig = {}
    if (this.user !== '') config.User = this.user
    if (this.ports.size > 0) config.ExposedPorts = Object.fromEntries([...this.ports].map((port) => [port, {}]))
    config.Env = envList(this.env)
    if (this.entrypoint) config.Entrypoint = this.entrypoint
    if (this.cmd?.length) config.Cmd = this.cmd
    if (this.volumes.size > 0) config.Volumes = Object.fromEntries([...this.volumes].map((path) => [path, {}]))
    if (this.workdir !== '') config.WorkingDir = this.workdir
    if (this.labels.size > 0) config.Labels = Object.fromEntries(this.labels)
    if (this.stopSignal !== undefined) config.StopSignal = this.stopSignal
    if (this.healthcheck) config.Healthcheck = this.healthcheck
    if (this.shell) config.Shell = this.shell
    if (this.onBuild.length > 0) config.OnBuild = this.onBuild
    return config
  }
}
