/**
 * Hop 7: one deployment's container on the host. Every step may be repeated: a container is found again by its name,
 * which is made of the deployment's own number.
 */
import { createHash } from 'node:crypto'
import { agentError, engineStatus } from '@slipway/agent-client'
import type { DeploymentSettings } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { createContainer, isUniqueViolation, updateContainer } from '@slipway/db'
import type Docker from 'dockerode'
import type { Deps } from '../deps'
import type { LocalImage } from './images'
import { ensureNetwork, inNetwork, networkName } from './networks'

export const LABELS = { app: 'slipway.app', deployment: 'slipway.deployment', organization: 'slipway.organization' } as const
const STOP_SECONDS = 10
/** How long a container that keeps ending is watched for its next end. */
const NEXT_END_MS = 5_000

export interface ContainerPlan {
  organizationId: string
  organization: string
  appId: string
  appSlug: string
  deploymentId: string
  number: number
  /** Pinned by digest, or the local image id. */
  image: string
  settings: DeploymentSettings
  port: number
  environment: string[]
  volumes: string[]
}

export interface RunningContainer {
  engineId: string
  name: string
  address: string
  startMs: number
}

/** The port traffic goes to: the setting, else the first TCP port that the image exposes (lowest number), else 8080. */
export function portOf(settings: DeploymentSettings, image: LocalImage): number {
  if (settings.port !== null) return settings.port
  const exposed = Object.keys((image.config.ExposedPorts as Record<string, unknown> | undefined) ?? {})
    .filter((p) => !p.endsWith('/udp'))
    .map((p) => Number.parseInt(p, 10))
    .filter((p) => p > 0)
  return exposed.length > 0 ? Math.min(...exposed) : 8080
}

export const volumesOf = (image: LocalImage): string[] =>
  Object.keys((image.config.Volumes as Record<string, unknown> | undefined) ?? {}).sort()

/** One named volume per app and path: what an app keeps in an image's VOLUME outlives its deployments. */
export const volumeName = (appId: string, path: string) => `${appId}-${createHash('sha256').update(path).digest('hex').slice(0, 8)}`

export const containerName = (plan: Pick<ContainerPlan, 'organization' | 'appSlug' | 'number'>) =>
  `${plan.organization}-${plan.appSlug}-${plan.number}`

/** Creates (or finds) and starts the container. `startMs` is the engine's time for the start itself. */
export async function startContainer(deps: Deps, plan: ContainerPlan): Promise<RunningContainer> {
  const name = containerName(plan)
  const { docker } = deps.agent
  const limits = plan.settings
  const options: Docker.ContainerCreateOptions = {
    name,
    Image: plan.image,
    Env: [...plan.environment.filter((e) => !e.startsWith('PORT=')), `PORT=${plan.port}`],
    ExposedPorts: { [`${plan.port}/tcp`]: {} },
    StopTimeout: STOP_SECONDS,
    Labels: { [LABELS.app]: plan.appId, [LABELS.deployment]: plan.deploymentId, [LABELS.organization]: plan.organizationId },
    HostConfig: {
      NetworkMode: networkName(plan.organizationId),
      RestartPolicy: { Name: 'unless-stopped' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      PidsLimit: limits.pidsLimit ?? 4096,
      ...(limits.memoryLimitBytes && { Memory: limits.memoryLimitBytes, MemorySwap: limits.memoryLimitBytes }),
      ...(limits.cpuLimitMillis && { NanoCpus: limits.cpuLimitMillis * 1_000_000 }),
      Mounts: plan.volumes.map((path) => ({ Type: 'volume' as const, Source: volumeName(plan.appId, path), Target: path })),
    },
  }
  try {
    await ensureNetwork(deps.agent, plan.organizationId)
    let id: string
    try {
      id = (await inNetwork(deps.agent, plan.organizationId, () => docker.createContainer(options))).id
    } catch (error) {
      if (engineStatus(error) !== 409) throw error
      const existing = await docker.getContainer(name).inspect()
      if (existing.Config.Labels[LABELS.deployment] !== plan.deploymentId) throw error
      id = existing.Id
    }
    // Before the start: whatever happens next, the row says that there may be a container to remove.
    await createContainer(deps.db, {
      organizationId: plan.organizationId,
      appId: plan.appId,
      deploymentId: plan.deploymentId,
      hostId: deps.hostId,
      engineId: id,
      name,
      port: plan.port,
    }).catch((error) => {
      if (!isUniqueViolation(error)) throw error
    })
    const from = performance.now()
    await inNetwork(deps.agent, plan.organizationId, () => docker.getContainer(id).start().catch(ignore(304)))
    const startMs = performance.now() - from
    const info = await docker.getContainer(id).inspect()
    const address = addressOf(info)
    await updateContainer(deps.db, id, {
      state: info.State.Running ? 'running' : 'exited',
      address,
      startedAt: new Date(info.State.StartedAt),
    })
    // One that has ended already has no address; the check that follows says why it ended.
    return { engineId: id, name, address: address ?? '', startMs }
  } catch (error) {
    throw agentError(error, `start ${name}`)
  }
}

export function addressOf(info: Docker.ContainerInspectInfo): string | null {
  for (const network of Object.values(info.NetworkSettings.Networks ?? {})) if (network?.IPAddress) return network.IPAddress
  return null
}

/** Throws in words for the user when the container has ended or keeps being restarted. */
export async function assertAlive(deps: Deps, engineId: string): Promise<void> {
  const first = await inspect(deps, engineId)
  if (first?.State.Running && !first.State.Restarting && first.RestartCount === 0) return
  const info = first && (await atItsEnd(deps, engineId, first))
  if (!info)
    throw new AppError({
      kind: 'bad-input',
      code: 'CONTAINER_GONE',
      message: 'The container was removed while it was starting. Deploy again.',
    })
  const { State: state } = info
  const lastLines = await tail(deps, engineId)
  if (state.OOMKilled)
    throw new AppError({
      kind: 'bad-input',
      code: 'OUT_OF_MEMORY',
      message: `The container used more memory than its limit${limitText(info)} and was killed. Raise the limit in the settings.`,
      details: { exitCode: state.ExitCode, lastLines, oom: true },
    })
  throw new AppError({
    kind: 'bad-input',
    code: 'CONTAINER_EXITED',
    message:
      state.Error && state.ExitCode >= 126
        ? `The container could not run: ${state.Error}`
        : state.Running
          ? `The container ended and was started again (${info.RestartCount} times so far). Its last lines may say why.`
          : `The container ended with exit code ${state.ExitCode} right after it was started. Its last lines say why.`,
    details: { exitCode: state.ExitCode, lastLines },
  })
}

/**
 * A container that the engine has started again says nothing of how it ended before: its state when it ends the next
 * time, or the latest one if it does not within some seconds.
 */
async function atItsEnd(deps: Deps, engineId: string, first: Docker.ContainerInspectInfo): Promise<Docker.ContainerInspectInfo | null> {
  const deadline = Date.now() + NEXT_END_MS
  let info: Docker.ContainerInspectInfo | null = first
  while (info?.State.Running && !info.State.Restarting && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 25))
    info = await inspect(deps, engineId)
  }
  return info
}

const limitText = (info: Docker.ContainerInspectInfo) =>
  info.HostConfig.Memory ? ` of ${Math.round(info.HostConfig.Memory / 1_048_576)} MiB` : ''

export async function inspect(deps: Deps, engineId: string): Promise<Docker.ContainerInspectInfo | null> {
  try {
    return await deps.agent.docker.getContainer(engineId).inspect()
  } catch (error) {
    if (engineStatus(error) === 404) return null
    throw agentError(error, 'look at a container')
  }
}

export async function tail(deps: Deps, engineId: string, lines = 20): Promise<string[]> {
  const out: string[] = []
  try {
    for await (const line of deps.agent.logs(engineId, { tail: lines, follow: false, signal: AbortSignal.timeout(5000) }))
      out.push(line.text.slice(0, 500))
  } catch (error) {
    deps.log.warn({ err: error, engineId }, 'could not read the last lines of a container')
  }
  return out.slice(-lines)
}

/** Writes down how a container ended, before it is removed. */
export async function recordExit(deps: Deps, engineId: string): Promise<void> {
  const info = await inspect(deps, engineId)
  if (info)
    await updateContainer(deps.db, engineId, { exitCode: info.State.Running ? null : info.State.ExitCode, oomKilled: info.State.OOMKilled })
}

/** Stops with the image's own stop signal and ten seconds of patience, then removes. Idempotent. */
export async function stopAndRemove(deps: Deps, engineId: string): Promise<void> {
  const container = deps.agent.docker.getContainer(engineId)
  try {
    await container.stop({ t: STOP_SECONDS }).catch(ignore(304, 404))
    await container.remove({ force: true, v: true }).catch(ignore(404, 409))
  } catch (error) {
    throw agentError(error, 'stop a container')
  }
}

const ignore =
  (...statuses: number[]) =>
  (error: unknown) => {
    if (!statuses.includes(engineStatus(error) ?? 0)) throw error
  }
