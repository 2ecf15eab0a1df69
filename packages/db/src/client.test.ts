import { createTestDatabase } from '@slipway/testing'
import { expect, it } from 'vitest'

it('asks one question at a time on the connection of a transaction', async () => {
  const warnings: string[] = []
  const note = (warning: Error) => warnings.push(warning.message)
  process.on('warning', note)
  const { db, drop } = await createTestDatabase()
  try {
    await db.organization.create({ data: { id: 'org_one', slug: 'one', name: 'One' } })
    const select = { id: true, apps: true, repositories: true, projects: true }
    const read = await db.$transaction((tx) => Promise.all([tx.organization.findMany({ select }), tx.organization.count()]))
    expect(read).toEqual([[{ id: 'org_one', apps: [], repositories: [], projects: [] }], 1])
    // One that fails does not stop those behind it from being answered.
    const failing = db.$transaction((tx) => Promise.allSettled([tx.$queryRaw`SELECT 1 / 0`, tx.organization.findMany({ select })]))
    expect((await failing)[0].status).toBe('rejected')
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toEqual([])
  } finally {
    process.off('warning', note)
    await drop()
  }
})

it('lets PostgreSQL compile no statement: for most that takes longer than running it', async () => {
  const { db, drop } = await createTestDatabase()
  try {
    expect(await db.$queryRaw`SHOW jit`).toEqual([{ jit: 'off' }])
    expect(await db.$transaction((tx) => tx.$queryRaw`SHOW jit`)).toEqual([{ jit: 'off' }])
  } finally {
    await drop()
  }
})
