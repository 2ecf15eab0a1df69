// Real processes: sleeping ones, dying ones, stubborn ones.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { endOrphans } from './orphans.mjs'
import { isAlive } from './proc.mjs'
import { Supervisor } from './supervisor.mjs'

let data: string
let said: string[]
let paths: { logs: string; processes: string }
let supervisor: Supervisor
const progress = {
  line: (text = '') => void said.push(text),
  event: (text: string) => void said.push(text),
  bold: (text: string) => text,
  step: async <T>(_: string, work: (step: { detail: () => void }) => Promise<T>) => work({ detail: () => undefined }),
}
const part = (script: string, more = {}) => ({
  name: 'part',
  title: 'Part',
  argv: (): [string, ...string[]] => [process.execPath, '-e', script],
  env: { PATH: process.env.PATH ?? '' },
  ready: async () => readFileSync(join(paths.logs, 'part.log'), 'utf8').includes('up'),
  ...more,
})
const recorded = () => JSON.parse(readFileSync(paths.processes, 'utf8'))

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'slipway-supervisor-'))
  paths = { logs: join(data, 'logs'), processes: join(data, 'processes.json') }
  mkdirSync(paths.logs)
  said = []
  supervisor = new Supervisor({ progress, paths } as never)
})
afterEach(async () => {
  await supervisor.stopAll()
  rmSync(data, { recursive: true })
})

const STAYS = 'console.log("up"); setInterval(() => {}, 1000)'

describe('supervisor', () => {
  it('starts, records and stops a part', async () => {
    await supervisor.start(part(STAYS))
    const [entry] = recorded()
    expect(entry).toMatchObject({ name: 'part', stopSignal: 'SIGTERM' })
    expect(isAlive(entry)).toBe(true)
    await supervisor.stopAll()
    expect(isAlive(entry)).toBe(false)
    expect(recorded()).toEqual([])
  })

  it('shows the last lines of a part that ends while starting', async () => {
    const start = supervisor.start(part('console.error("the disk is full"); process.exit(3)', { ready: async () => false }))
    await expect(start).rejects.toMatchObject({ message: 'Part ended while starting.', detail: 'the disk is full' })
  })

  it('says when a program is missing', async () => {
    const start = supervisor.start(part('', { argv: () => ['/no/such/program'], ready: async () => false }))
    await expect(start).rejects.toThrow('cannot be started')
  })

  it('gives up on a part that never answers', async () => {
    const start = supervisor.start(part(STAYS, { ready: async () => false, readyDeadlineMs: 200 }))
    await expect(start).rejects.toThrow('did not answer within')
  })

  it('starts a crashed part again and says so', async () => {
    await supervisor.start(part(STAYS))
    const [before] = recorded()
    process.kill(before.pid, 'SIGKILL')
    await expect.poll(() => said.some((line) => line.includes('is back')), { timeout: 5_000 }).toBe(true)
    expect(said.join('\n')).toContain('Part was ended by SIGKILL')
    expect(recorded()[0].pid).not.toBe(before.pid)
  })

  it('kills a part that ignores its signal', async () => {
    await supervisor.start(part(`process.on('SIGTERM', () => {}); ${STAYS}`, { stopDeadlineMs: 200 }))
    const [entry] = recorded()
    await supervisor.stopAll()
    expect(isAlive(entry)).toBe(false)
  })

  it('goes on stopping when a part cannot put its things away', async () => {
    const beforeStop = () => Promise.reject(new Error('socket closed'))
    await supervisor.start(part(STAYS, { beforeStop }))
    const [entry] = recorded()
    await supervisor.stopAll()
    expect(said.join('\n')).toContain('socket closed')
    expect(isAlive(entry)).toBe(false)
  })
})

describe('orphans', () => {
  it('are ended by the next start, whatever signal they heed', async () => {
    await supervisor.start(part(`process.on('SIGTERM', () => {}); ${STAYS}`))
    const [entry] = recorded()
    expect(await endOrphans(paths.processes, 200)).toEqual(['Part'])
    expect(isAlive(entry)).toBe(false)
  })
})

describe('a full or broken disk', () => {
  it('does not end the supervisor', async () => {
    await supervisor.start(part(STAYS))
    const [entry] = recorded()
    rmSync(paths.processes)
    mkdirSync(`${paths.processes}.new`) // writing it fails from here on
    process.kill(entry.pid, 'SIGKILL')
    await expect.poll(() => said.some((line) => line.includes('is back')), { timeout: 5_000 }).toBe(true)
    expect(said.filter((line) => line.includes('cannot write down which processes'))).toHaveLength(1)
  })
})
