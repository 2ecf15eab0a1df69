import { channels } from '@slipway/contracts'
import { startTestRedis } from '@slipway/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeQueues, connectRedis, consume, createQueues, createSignals, enqueue, enqueueTurn, redisOptions, waitingJobs } from './index'

const silent = () => undefined
let redis: Awaited<ReturnType<typeof startTestRedis>>
beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(async () => {
  await redis.stop()
})

describe('redisOptions', () => {
  it('reads sockets, users and databases', () => {
    expect(redisOptions('unix:///run/a%20b.sock').path).toBe('/run/a b.sock')
    expect(redisOptions('redis://u:p%40@h:1/2')).toMatchObject({ host: 'h', port: 1, username: 'u', password: 'p@', db: 2 })
    expect(() => redisOptions('http://x')).toThrow(/redis:\/\//)
    expect(() => redisOptions('nonsense')).toThrow(/REDIS_URL/)
  })
})

describe('queues', () => {
  it('adds a row once, however often it is enqueued, and hands it to one consumer', async () => {
    const queues = createQueues(redis.url, silent)
    await Promise.all([1, 2, 3].map(() => enqueue(queues, 'build', { buildId: 'bld_1' }, silent)))
    const seen: string[] = []
    const consumer = consume(redis.url, 'build', { concurrency: 2, onError: silent }, async ({ buildId }) => {
      seen.push(buildId)
    })
    await expect.poll(() => seen).toEqual(['bld_1'])
    await new Promise((r) => setTimeout(r, 200))
    expect(seen).toEqual(['bld_1'])
    // Once over, the same row may be enqueued again.
    await enqueue(queues, 'build', { buildId: 'bld_1' }, silent)
    await expect.poll(() => seen.length).toBe(2)
    await consumer.close()
    await closeQueues(queues)
  })

  it('adds a turn while the job of that row is at another build, and counts what nobody has taken', async () => {
    const queues = createQueues(redis.url, silent)
    let end = silent as () => void
    const over = new Promise<void>((resolve) => {
      end = resolve
    })
    const seen: string[] = []
    await enqueue(queues, 'build', { buildId: 'bld_2' }, silent)
    const consumer = consume(redis.url, 'build', { concurrency: 1, onError: silent }, async ({ buildId }) => {
      seen.push(buildId)
      await over
    })
    await expect.poll(() => seen).toEqual(['bld_2'])
    await enqueue(queues, 'build', { buildId: 'bld_2' }, silent)
    expect(await waitingJobs(queues, 'build', silent)).toBe(0)
    await enqueueTurn(queues, 'bld_2', silent)
    expect(await waitingJobs(queues, 'build', silent)).toBe(1)
    end()
    await expect.poll(() => seen).toEqual(['bld_2', 'bld_2'])
    await consumer.close()
    await closeQueues(queues)
  })

  it('says false instead of throwing when Redis is away', async () => {
    const errors: unknown[] = []
    const queues = createQueues('redis://127.0.0.1:1', silent)
    expect(await enqueue(queues, 'deploy', { deploymentId: 'dep_1' }, (e) => errors.push(e))).toBe(false)
    expect(errors).toHaveLength(1)
    await closeQueues(queues).catch(silent)
  })
})

describe('signals', () => {
  it('wakes a waiter at once, and by time when nothing comes', async () => {
    const signals = createSignals(connectRedis(redis.url, silent), connectRedis(redis.url, silent), silent)
    const other = createSignals(connectRedis(redis.url, silent), connectRedis(redis.url, silent), silent)
    const woken = signals.wait(channels.build('b'), 5000)
    await expect
      .poll(
        async () => {
          other.publish(channels.build('b'))
          return Promise.race([woken.then(() => true), new Promise((r) => setTimeout(() => r(false), 20))])
        },
        { timeout: 3000 },
      )
      .toBe(true)
    await signals.wait(channels.build('silent'), 50)
    await signals.wait(channels.build('aborted'), 60_000, AbortSignal.abort())
    await signals.close()
    await other.close()
  })
})
