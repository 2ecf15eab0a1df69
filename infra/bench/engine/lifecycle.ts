import type { Figure } from '../stats'
import type { Engine } from './api'
import { settle } from './hosts'

export const BUSYBOX = 'bench/busybox:latest'

export async function create(engine: Engine, command: string[], extra: object = {}): Promise<string> {
  return (await engine.call<{ Id: string }>('POST', '/containers/create', { Image: BUSYBOX, Cmd: command, ...extra })).Id
}

/** create, start, and wait until it has ended; what the removal takes is not counted. */
export async function runOnce(engine: Engine): Promise<number> {
  const from = performance.now()
  const id = await create(engine, ['true'])
  await engine.call('POST', `/containers/${id}/start`)
  const { StatusCode } = await engine.call<{ StatusCode: number }>('POST', `/containers/${id}/wait`)
  const took = performance.now() - from
  if (StatusCode !== 0) throw new Error(`${engine.name}: true ended with ${StatusCode}`)
  await engine.call('DELETE', `/containers/${id}`)
  return took
}

/** Rounds of many of ours and one of the peer's, so that both see the same neighbours. */
export async function interleaved(
  rounds: number,
  oursPerRound: number,
  ours: () => Promise<number>,
  theirs: (() => Promise<number>) | null,
): Promise<{ ours: number[]; peer?: { name: string; values: number[] } }> {
  const [mine, others]: [number[], number[]] = [[], []]
  for (let i = 0; i < 3; i++) await ours()
  await theirs?.()
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < oursPerRound; i++) mine.push(await ours())
    if (theirs) others.push(await theirs())
  }
  return theirs ? { ours: mine, peer: { name: 'dockerd', values: others } } : { ours: mine }
}

export async function runFigures(ours: Engine, peer: Engine | null): Promise<Figure[]> {
  settle()
  const measured = await interleaved(10, 30, () => runOnce(ours), peer && (() => runOnce(peer)))
  return [
    { name: 'create + start + wait (busybox `true`, bridge, warm)', unit: 'ms', ...measured, aim: '≤ 10 ms, p99 ≤ 25 ms; ≥ 20×' },
    await execFigure(ours, peer),
  ]
}

async function execFigure(ours: Engine, peer: Engine | null): Promise<Figure> {
  const sleepers = new Map<Engine, string>()
  for (const engine of [ours, peer]) {
    if (!engine) continue
    const id = await create(engine, ['sleep', '600'])
    sleepers.set(engine, id)
    await engine.call('POST', `/containers/${id}/start`)
  }
  const once = (engine: Engine) => async () => {
    const from = performance.now()
    await engine.exec(sleepers.get(engine) ?? '', ['true'])
    return performance.now() - from
  }
  const measured = await interleaved(10, 30, once(ours), peer && once(peer))
  for (const [engine, id] of sleepers) await engine.call('DELETE', `/containers/${id}?force=1`)
  return { name: 'exec of `true` (create + start + end of its streams)', unit: 'ms', ...measured, aim: '≤ 5 ms; ≥ 10×' }
}
