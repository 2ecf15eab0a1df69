import { type JobData, type JobName, jobs } from '@slipway/contracts'
import { Queue } from 'bullmq'
import { redisOptions } from './redis'

/** One queue per kind of job; the producer side, made once per process. */
export type Queues = { [N in JobName]: Queue<JobData<N>> }

/** Keys in Redis start with this, so that an installation may share a Redis with others. */
export const QUEUE_PREFIX = 'slipway'

export function createQueues(redisUrl: string, onError: (error: Error) => void): Queues {
  // enableOfflineQueue off: with Redis away, enqueueing fails at once and the sweep enqueues later from Postgres.
  const connection = { ...redisOptions(redisUrl), enableOfflineQueue: false }
  const make = <N extends JobName>(name: N): Queue<JobData<N>> => {
    const queue = new Queue<JobData<N>>(jobs[name].queue, { connection, prefix: QUEUE_PREFIX })
    queue.on('error', onError)
    return queue
  }
  return {
    build: make('build'),
    deploy: make('deploy'),
    converge: make('converge'),
    inspect: make('inspect'),
    deliver: make('deliver'),
    replicate: make('replicate'),
    layer: make('layer'),
  }
}

export async function closeQueues(queues: Queues): Promise<void> {
  await Promise.all(Object.values(queues).map((queue) => queue.close()))
}
