import { type JobData, type JobName, jobs } from '@slipway/contracts'
import type { Queue } from 'bullmq'
import type { Queues } from './queues'

/** The row's id as the job's id: adding a job that already waits does nothing. */
function jobId<N extends JobName>(name: N, data: JobData<N>): string {
  const id = Object.values(data)[0] as string
  // A converge may be asked for again while one runs; the second must not be lost, so each gets an id of its own.
  return name === 'converge' ? ownId(id) : id
}

const ownId = (id: string) => `${id}-${Date.now().toString(36)}`

/**
 * Puts a job on its queue. Resolves to false when Redis cannot be reached: the row in Postgres is already the truth,
 * and the worker's sweep enqueues every open row that has no job within seconds, so callers need not fail.
 */
export const enqueue = <N extends JobName>(
  queues: Queues,
  name: N,
  data: JobData<N>,
  onError: (error: unknown) => void,
): Promise<boolean> => add(queues, name, data, jobId(name, data), onError)

/**
 * As `enqueue`, of a build that waits again or still: the job of its own id may be a turn that another build has taken, and
 * would swallow this one.
 */
export const enqueueTurn = (queues: Queues, buildId: string, onError: (error: unknown) => void): Promise<boolean> =>
  add(queues, 'build', { buildId }, ownId(buildId), onError)

/** Jobs of a queue that no worker has taken; null when Redis cannot be reached. */
export async function waitingJobs(queues: Queues, name: JobName, onError: (error: unknown) => void): Promise<number | null> {
  try {
    return await withDeadline(queues[name].getWaitingCount(), 2000)
  } catch (error) {
    onError(error)
    return null
  }
}

async function add<N extends JobName>(
  queues: Queues,
  name: N,
  data: JobData<N>,
  id: string,
  onError: (error: unknown) => void,
): Promise<boolean> {
  const parsed = jobs[name].schema.parse(data)
  try {
    // The queue of a generic name is a union to the compiler; each takes the data its schema has just parsed.
    const queue = queues[name] as Queue
    await withDeadline(queue.add(name, parsed, { jobId: id, removeOnComplete: true, removeOnFail: true, attempts: 1 }), 2000)
    return true
  } catch (error) {
    onError(error)
    return false
  }
}

async function withDeadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
