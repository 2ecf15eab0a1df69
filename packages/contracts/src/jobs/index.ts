/**
 * What travels through BullMQ. Jobs hold ids only; Postgres is the truth, so Redis may be wiped. New fields are optional
 * so that jobs in flight survive an upgrade. Job ids are the row's id: enqueueing twice does nothing twice.
 */
import * as z from 'zod'

export const jobs = {
  /** checkout → plan → build → publish, then creates a deployment and enqueues it. */
  build: { queue: 'build', schema: z.object({ buildId: z.string() }), deadlineMs: 45 * 60_000 },
  /** start → check → switch → drain → stop of the old. */
  deploy: { queue: 'deploy', schema: z.object({ deploymentId: z.string() }), deadlineMs: 15 * 60_000 },
  /** Makes the host and the router match an app's desired state: stop, start again, or remove everything of a deleted app. */
  converge: { queue: 'converge', schema: z.object({ appId: z.string() }), deadlineMs: 5 * 60_000 },
  /** A look at a repository whose app does not exist yet, or has no Dockerfile. */
  inspect: { queue: 'inspect', schema: z.object({ inspectionId: z.string() }), deadlineMs: 2 * 60_000 },
  /** Reads one layer blob and writes down what is inside. The digest with a dash for its colon, which ids of jobs must not have. */
  layer: { queue: 'layer', schema: z.object({ layer: z.string().regex(/^[a-z0-9]+-[0-9a-f]{32,128}$/) }), deadlineMs: 15 * 60_000 },
  /** One event to one webhook. */
  deliver: { queue: 'deliver', schema: z.object({ deliveryId: z.string() }), deadlineMs: 30_000 },
  /** Images of one replication rule, to or from another registry. */
  replicate: { queue: 'replicate', schema: z.object({ runId: z.string() }), deadlineMs: 6 * 3_600_000 },
} as const
export type JobName = keyof typeof jobs
export type JobData<N extends JobName> = z.infer<(typeof jobs)[N]['schema']>

/** The end of what a channel tells of: read at once, and not when the burst of news before it has been quiet for a moment. */
export const OVER = 'over'

/**
 * Redis pub/sub channels that say "read again from your cursor"; a lost message costs a second (readers also poll),
 * never data. Payload is empty, or OVER, but for the two of SSH agents.
 */
export const channels = {
  build: (buildId: string) => `slipway:build:${buildId}`,
  deployment: (deploymentId: string) => `slipway:deployment:${deploymentId}`,
  inspection: (inspectionId: string) => `slipway:inspection:${inspectionId}`,
  app: (appId: string) => `slipway:app:${appId}`,
  organization: (organizationId: string) => `slipway:org:${organizationId}`,
  /** What steps of a build ask the SSH agent of who started it, from the worker, and what it says (ssh-forward.ts). */
  sshRequests: (buildId: string) => `slipway:ssh-requests:${buildId}`,
  sshAnswers: (buildId: string) => `slipway:ssh-answers:${buildId}`,
  /** Tells the worker to cancel a running build or inspection at once; the row's cancelRequestedAt is the truth. */
  cancel: 'slipway:cancel',
} as const
