import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Process, processTree } from '../memory'
import { type Figure, median } from '../stats'
import type { Engine } from './api'
import { settle } from './hosts'
import { create } from './lifecycle'

const BURST = 100
const MANY = 500
const PORT = 8080

interface Inspected {
  State: { Running: boolean }
  NetworkSettings: { Networks: { bridge: { IPAddress: string } } }
}

/** Removes in small groups: what a removal takes is not what is measured. */
async function removeAll(engine: Engine, ids: string[]): Promise<void> {
  for (let i = 0; i < ids.length; i += 10) {
    await Promise.all(ids.slice(i, i + 10).map((id) => engine.call('DELETE', `/containers/${id}?force=1`)))
  }
}

async function burst(engine: Engine): Promise<number> {
  const ids: string[] = []
  try {
    for (let i = 0; i < BURST; i++) ids.push(await create(engine, ['sleep', '600']))
    const from = performance.now()
    await Promise.all(ids.map((id) => engine.call('POST', `/containers/${id}/start`)))
    const took = performance.now() - from
    const running = await Promise.all(ids.map((id) => engine.call<Inspected>('GET', `/containers/${id}/json`)))
    const failed = running.filter((one) => !one.State.Running).length
    if (failed > 0) throw new Error(`${engine.name}: ${failed} of ${BURST} do not run`)
    return took
  } finally {
    await removeAll(engine, ids)
  }
}

export async function burstFigure(ours: Engine, peer: Engine | null): Promise<Figure> {
  const mine: number[] = []
  const others: number[] = []
  settle()
  for (const engine of [ours, peer, ours, ours]) {
    if (engine) (engine === ours ? mine : others).push(await burst(engine))
  }
  return {
    name: `start of ${BURST} containers at once until all run (bridge)`,
    unit: 'ms',
    ours: mine,
    ...(peer ? { peer: { name: 'dockerd', values: others } } : {}),
    aim: '≤ 1.5 s; ≥ 10×',
  }
}

const SERVER = ['httpd', '-f', '-p', String(PORT), '-h', '/etc']

/** The time of one start among those that run, several times over. */
async function oneMore(engine: Engine): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 15; i++) {
    const id = await create(engine, SERVER)
    const from = performance.now()
    await engine.call('POST', `/containers/${id}/start`)
    times.push(performance.now() - from)
    await removeAll(engine, [id])
  }
  return median(times)
}

/** Whether the container's web server says anything; only addresses of the engine's own bridge are asked. */
function answers(address: string): Promise<boolean> {
  return new Promise((done) => {
    const asking = request({ host: address, port: PORT, path: '/', timeout: 5000, agent: false }, (response) => {
      response.resume()
      done(true)
    })
    asking.once('timeout', () => asking.destroy(new Error('silent')))
    asking.once('error', () => done(false))
    asking.end()
  })
}

/** 500 running web servers: each asked over its address, the start of one more, and what daemon and shims take meanwhile. */
export async function manyFigures(ours: Engine, agentPid: number): Promise<Figure[]> {
  const ids: string[] = []
  settle()
  try {
    const first = await oneMore(ours)
    const from = performance.now()
    for (let i = 0; i < MANY; i += 10) {
      const made = await Promise.all(Array.from({ length: 10 }, () => create(ours, SERVER)))
      ids.push(...made)
      await Promise.all(made.map((id) => ours.call('POST', `/containers/${id}/start`)))
    }
    const all = performance.now() - from
    let reached = 0
    for (let i = 0; i < ids.length; i += 20) {
      const found = await Promise.all(
        ids.slice(i, i + 20).map(async (id) => {
          const { NetworkSettings } = await ours.call<Inspected>('GET', `/containers/${id}/json`)
          return answers(NetworkSettings.Networks.bridge.IPAddress)
        }),
      )
      reached += found.filter(Boolean).length
    }
    const last = await oneMore(ours)
    const { daemon, shims } = agentProcesses(agentPid)
    return [
      { name: `${MANY} running: containers that answer on their address`, unit: '', ours: [reached], aim: String(MANY) },
      { name: `${MANY} running: made and started, ten at a time`, unit: 'ms', ours: [all], aim: '—' },
      { name: 'start of the first (median of 15)', unit: 'ms', ours: [first], aim: '—' },
      { name: `start of one more beside ${MANY} (median of 15)`, unit: 'ms', ours: [last], aim: '—' },
      { name: 'one more / first', unit: '×', ours: [last / first], aim: '≤ 2×' },
      { name: `daemon, PSS, beside ${MANY}`, unit: 'MB', ours: [megabytes(daemon?.pss)], aim: '≤ 20 MB' },
      { name: `shim, private, each of ${shims.length}`, unit: 'MB', ours: shims.map((shim) => megabytes(shim.private)), aim: '≤ 1 MB' },
    ]
  } finally {
    await removeAll(ours, ids)
  }
}

/** The daemon, and its shims: the children of the spawner, which is its only child. */
function agentProcesses(pid: number): { daemon: Process | undefined; shims: Process[] } {
  const all = processTree()
  const children = (of: number) => all.filter((process) => process.parent === of)
  return { daemon: all.find((process) => process.pid === pid), shims: children(pid).flatMap((spawner) => children(spawner.pid)) }
}

const megabytes = (bytes: number | undefined) => (bytes ?? Number.NaN) / 1e6

/** The same for one container under the peer: dockerd with its containerd, and one shim. */
export async function memoryFigures(ours: Engine, agentPid: number, peer: { engine: Engine; pid: number } | null): Promise<Figure[]> {
  const started: [Engine, string][] = []
  try {
    for (const engine of [ours, peer?.engine]) {
      if (!engine) continue
      const id = await create(engine, ['sleep', '600'])
      started.push([engine, id])
      await engine.call('POST', `/containers/${id}/start`)
    }
    // What is left when the burst before is over: ours gives memory back after two quiet seconds.
    await sleep(4000)
    const { daemon, shims } = agentProcesses(agentPid)
    const theirs = processTree().filter((process) => process.pid === peer?.pid || process.parent === peer?.pid)
    const theirShim = processTree().find(
      (process) => process.command.includes('containerd-shim') && process.command.includes(started[1]?.[1] ?? '-'),
    )
    return [
      {
        name: 'daemon, PSS, after some 500 containers, one running',
        unit: 'MB',
        ours: [megabytes(daemon?.pss)],
        ...(peer
          ? { peer: { name: 'dockerd + containerd', values: [megabytes(theirs.reduce((sum, process) => sum + process.pss, 0))] } }
          : {}),
        aim: '≤ 20 MB',
      },
      {
        name: 'shim of one container, private',
        unit: 'MB',
        ours: shims.map((shim) => megabytes(shim.private)),
        ...(theirShim ? { peer: { name: 'containerd-shim', values: [megabytes(theirShim.private)] } } : {}),
        aim: '≤ 1 MB',
      },
    ]
  } finally {
    for (const [engine, id] of started) await removeAll(engine, [id])
  }
}
