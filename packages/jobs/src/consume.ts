import { type JobData, type JobName, jobs } from '@slipway/contracts'
import { Worker } from 'bullmq'
import { QUEUE_PREFIX } from './queues'
import { redisOptions } from './redis'

export interface Consumer {
  /** Takes no more jobs and resolves when the running ones are over. */
  close(force?: boolean): Promise<void>
}

/**
 * Runs `handle` for each job of one queue, `concurrency` at a time, each with its deadline as an abort signal.
 * A job whose worker died is handed out again after about ten seconds; whether it still has something to do is for the
 * handler to ask Postgres.
 */
export function consume<N extends JobName>(
  redisUrl: string,
  name: N,
  options: { concurrency: number; onError: (error: Error) => void },
  handle: (data: JobData<N>, signal: AbortSignal) => Promise<void>,
): Consumer {
  const worker = new Worker<JobData<N>>(
    jobs[name].queue,
    async (job) => {
      const data = jobs[name].schema.parse(job.data) as JobData<N>
      await handle(data, AbortSignal.timeout(jobs[name].deadlineMs))
    },
    {
      connection: redisOptions(redisUrl),
      prefix: QUEUE_PREFIX,
      concurrency: options.concurrency,
      lockDuration: 15_000,
      stalledInterval: 10_000,
      maxStalledCount: 5,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    },
  )
  worker.on('error', options.onError)
  worker.on('failed', (_job, error) => options.onError(error))
  return { close: (force = false) => worker.close(force) }
}
