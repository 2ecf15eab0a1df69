/** How long what a build runs lives on after its client is gone: from the client's SIGKILL to the end of the last process. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Builder } from './builders'
import { UNRULY, UNRULY_PROCESSES } from './contexts'

/** Ended by hand after that. */
const PATIENCE_MS = 30_000
const START_DEADLINE_MS = 60_000

/** Milliseconds. Between two looks lies one walk through /proc, about 5 ms on a machine with 200 processes. */
export async function timeToEnd(builder: Builder, context: string): Promise<number> {
  const client = builder.start(context, 'bench-cancel', { noCache: true })
  const gone = new Promise<void>((resolve) => client.once('exit', () => resolve()))
  try {
    await until(() => unruly().length >= UNRULY_PROCESSES, START_DEADLINE_MS, 'the build does not come to its steps')
    const from = performance.now()
    client.kill('SIGKILL')
    await until(() => unruly().length === 0, PATIENCE_MS, `${builder.name} left processes of a cancelled build behind`)
    return performance.now() - from
  } finally {
    client.kill('SIGKILL')
    await gone
    for (const pid of unruly()) process.kill(pid, 'SIGKILL')
  }
}

async function until(holds: () => boolean, ms: number, otherwise: string): Promise<void> {
  for (const end = performance.now() + ms; !holds(); await sleep(1)) if (performance.now() > end) throw new Error(otherwise)
}

/** All of them have the variable in their environment, whatever they are, and whoever their parent is. */
function unruly(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && environment(name).includes(`${UNRULY}=`))
    .map(Number)
}

function environment(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return '' // it is gone
  }
}
