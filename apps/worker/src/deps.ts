import type { Agent } from '@slipway/agent-client'
import type { Db } from '@slipway/db'
import type { Ingress } from '@slipway/ingress'
import type { Queues, Signals } from '@slipway/jobs'
import type { DeploymentsService, OutgoingWork, Sealer } from '@slipway/services'
import type { Logger } from 'pino'
import type { Env } from './env'

/** Everything a pipeline stage may use; made once in main.ts. */
export interface Deps {
  env: Env
  log: Logger
  db: Db
  queues: Queues
  signals: Signals
  sealer: Sealer
  deployments: DeploymentsService
  outgoing: OutgoingWork
  agent: Agent
  ingress: Ingress
  /** This machine's row in `Host`. */
  hostId: string
  /** Fires when the worker was asked to stop: running work is handed back, not failed. */
  stopping: AbortSignal
}
