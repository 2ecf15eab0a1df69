import { spawn } from 'node:child_process'
import { createDb } from '@slipway/db'
import { expect, it } from 'vitest'
import { createTestDatabase } from './database'
import { startTestRedis } from './redis'
import { alive } from './shared-dir.mjs'

it('clones a migrated database per call, apart from every other', async () => {
  const [a, b] = await Promise.all([createTestDatabase(), createTestDatabase()])
  await a.db.setting.create({ data: { key: 'k', value: 1 } })
  expect(await a.db.setting.count()).toBe(1)
  expect(await b.db.setting.count()).toBe(0)
  await a.drop()
  await b.drop()
  const gone = createDb(a.url)
  await expect(gone.setting.count()).rejects.toThrow()
  await gone.$disconnect()
})

it('starts a Redis that ends when asked', async () => {
  const redis = await startTestRedis()
  expect(alive(redis.pid)).toBe(true)
  await redis.stop()
  expect(alive(redis.pid)).toBe(false)
})

it('leaves no Redis behind when its owner is killed', async () => {
  const script = `
    import { startTestRedis } from ${JSON.stringify(new URL('./redis.ts', import.meta.url).href)}
    const redis = await startTestRedis()
    console.log(redis.pid)
    setInterval(() => {}, 1000)`
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const pid = await new Promise<number>((resolve) => owner.stdout.once('data', (d: Buffer) => resolve(Number(d.toString()))))
  expect(alive(pid)).toBe(true)
  owner.kill('SIGKILL')
  await expect.poll(() => alive(pid), { timeout: 5000 }).toBe(false)
})
