import { request as httpRequest } from 'node:http'
import type { Readable } from 'node:stream'
import {
  agentHealth,
  type BuildCachePrune,
  type BuildCachePruned,
  type BuildCacheView,
  type BuildEvent,
  type BuildPolicy,
  type BuildPolicyPreview,
  type BuildPolicyView,
  type BuildRequest,
  buildCachePrune,
  buildCachePruned,
  buildCacheView,
  buildPolicyPreview,
  buildPolicyView,
  MAX_ATTESTATION,
} from '@slipway/contracts'
import Docker from 'dockerode'
import type { z } from 'zod'
import { type BuildSecrets, type BuildSshAgents, streamBuild } from './build-stream'
import { type AgentContexts, createContexts } from './contexts'
import { agentError } from './errors'
import { containerStarts } from './events'
import { type ImageOutput, imageOutput } from './image-output'
import { type AgentLayers, createLayers } from './layers'
import { type ContainerLogLine, containerLogs } from './logs'

export interface Agent {
  /** The Docker Engine API of the agent, for everything Docker has a word for. */
  docker: Docker
  health(deadlineMs?: number): Promise<z.infer<typeof agentHealth>>
  build(
    request: BuildRequest,
    signal: AbortSignal,
    secrets?: BuildSecrets,
    registryToken?: string,
    ssh?: BuildSshAgents,
  ): AsyncGenerator<BuildEvent>
  contexts: AgentContexts
  layers: AgentLayers
  /** Idempotent: a build that is not running is not an error. */
  cancelBuild(id: string): Promise<void>
  /** What the build cache holds of one organization; `images` is the beginning of its images' names. */
  buildCache(scope: string, images: string): Promise<BuildCacheView>
  /** Removes a part of an organization's build cache, or with `dryRun` only tells which. */
  pruneBuildCache(prune: BuildCachePrune & { scope: string; images: string }): Promise<BuildCachePruned>
  /** What the build cache keeps, and what builds leave of the disk. */
  buildPolicy(): Promise<BuildPolicyView>
  /** Applies at once, and over restarts of the agent. */
  setBuildPolicy(policy: BuildPolicy): Promise<BuildPolicyView>
  /** What the cache would lose by it; `BAD_REQUEST` for one that this host cannot have. */
  previewBuildPolicy(policy: BuildPolicy): Promise<BuildPolicyPreview>
  /** A finished image as a tar: an archive of it, or the files in it. `reference`: a name or an image id. */
  imageOutput(reference: string, output: ImageOutput, signal: AbortSignal): Promise<Readable>
  /** The packages of an image on the host, as an SPDX 2.3 document. */
  sbom(reference: string, signal: AbortSignal): Promise<string>
  /** Ids of labelled containers as they are started; until `signal` fires or the agent goes away. */
  starts(label: string, signal: AbortSignal): AsyncGenerator<string>
  logs(containerId: string, options: { tail: number; follow: boolean; since?: Date; signal: AbortSignal }): AsyncGenerator<ContainerLogLine>
}

/** The agent behind one Unix socket. Makes no connection until the first call; every plain call has a deadline of 60 s. */
export function createAgent({ socketPath }: { socketPath: string }): Agent {
  const docker = new Docker({ socketPath, version: 'v1.44', timeout: 60_000 })
  return {
    docker,
    health: async (deadlineMs = 2000) => agentHealth.parse(JSON.parse(await call(socketPath, 'GET', '/slipway/v1/health', deadlineMs))),
    build: (request, signal, secrets, token, ssh) => streamBuild(socketPath, request, signal, secrets, token, ssh),
    contexts: createContexts(socketPath),
    layers: createLayers(socketPath),
    async cancelBuild(id) {
      await call(socketPath, 'DELETE', `/slipway/v1/builds/${encodeURIComponent(id)}`, 5000, [404])
    },
    buildCache: async (scope, images) =>
      buildCacheView.parse(
        JSON.parse(await call(socketPath, 'GET', `/slipway/v1/build-cache?${new URLSearchParams({ scope, images })}`, 30_000)),
      ),
    // Removing many files takes a while.
    pruneBuildCache: async (prune) =>
      buildCachePruned.parse(
        JSON.parse(
          await call(socketPath, 'POST', '/slipway/v1/build-cache/prune', 120_000, [], {
            json: JSON.stringify(buildCachePrune.parse(prune)),
          }),
        ),
      ),
    buildPolicy: async () => buildPolicyView.parse(JSON.parse(await call(socketPath, 'GET', POLICY, 10_000))),
    setBuildPolicy: async (policy) =>
      buildPolicyView.parse(
        JSON.parse(await call(socketPath, 'PUT', POLICY, 30_000, [], { json: JSON.stringify(policy), doing: TAKE_POLICY })),
      ),
    previewBuildPolicy: async (policy) =>
      buildPolicyPreview.parse(
        JSON.parse(await call(socketPath, 'POST', `${POLICY}/preview`, 30_000, [], { json: JSON.stringify(policy), doing: TAKE_POLICY })),
      ),
    imageOutput: (reference, output, signal) => imageOutput(socketPath, reference, output, signal),
    sbom: (reference, signal) =>
      call(socketPath, 'GET', `/slipway/v1/images/${encodeURIComponent(reference)}/sbom`, SBOM_DEADLINE, [], {
        signal,
        limit: MAX_ATTESTATION,
      }),
    // These two have no deadline of their own, so they must not inherit dockerode's.
    starts: (label, signal) => containerStarts(new Docker({ socketPath, version: 'v1.44' }), label, signal),
    logs: (id, options) => containerLogs(new Docker({ socketPath, version: 'v1.44' }), id, options),
  }
}

const TAKE_POLICY = 'take these limits of the build cache'
const POLICY = '/slipway/v1/build-cache/policy'
/** The agent itself gives up after a minute; two of them may wait for their turn before. */
const SBOM_DEADLINE = 180_000

function call(
  socketPath: string,
  method: string,
  path: string,
  deadlineMs: number,
  accept: number[] = [],
  {
    json,
    signal,
    limit = 32 * 1024 * 1024,
    doing = `answer ${method} ${path}`,
  }: { json?: string; signal?: AbortSignal; limit?: number; doing?: string } = {},
): Promise<string> {
  const deadline = AbortSignal.timeout(deadlineMs)
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        socketPath,
        method,
        path,
        headers: { host: 'agent', ...(json !== undefined && { 'content-type': 'application/json' }) },
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      },
      (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          body += chunk
          if (body.length > limit) response.destroy(new Error(`an answer of more than ${limit} bytes`))
        })
        response.on('error', (error) => reject(agentError(error, doing)))
        response.on('end', () => {
          const status = response.statusCode ?? 500
          if (status < 300 || accept.includes(status)) resolve(body)
          else reject(agentError(Object.assign(new Error(body), { statusCode: status, json: errorOf(body) }), doing))
        })
      },
    )
    request.on('error', (error) => reject(agentError(error, doing)))
    request.end(json)
  })
}

/** Docker's shape; undefined for what is none. */
function errorOf(body: string): { message?: string } | undefined {
  try {
    const { message } = JSON.parse(body) as { message?: unknown }
    return typeof message === 'string' ? { message } : undefined
  } catch {
    return undefined
  }
}
