import { setTimeout as sleep } from 'node:timers/promises'
import { StartError } from './errors.mjs'
import { holderOfPort } from './proc.mjs'

/** @param {import('./settings.mjs').Settings} settings */
export const wantedPorts = ({ ports, databaseUrl }) => [
  { port: ports.web, title: 'the web app', setting: 'SLIPWAY_WEB_PORT' },
  { port: ports.registry, title: 'the registry', setting: 'SLIPWAY_REGISTRY_PORT' },
  { port: ports.router, title: 'the router', setting: 'SLIPWAY_ROUTER_PORT' },
  { port: databaseUrl ? 0 : ports.postgres, title: 'Postgres', setting: 'SLIPWAY_POSTGRES_PORT' },
]

/** How long a process that was killed may take to let go of its ports: it has no files of its own to be seen by any more. */
const LETTING_GO_MS = 5_000

/**
 * Throws when ports of ours are taken, naming for each who has it and which setting to change.
 * @param {{ port: number, title: string, setting: string }[]} wanted
 * @param {number[]} [ours] processes that are about to be ended
 */
export async function checkPorts(wanted, ours = []) {
  const isUnseen = (/** @type {{ port: number }} */ { port }) => {
    const holder = port === 0 ? undefined : holderOfPort(port)
    return holder !== undefined && holder.pid === undefined
  }
  for (const until = Date.now() + LETTING_GO_MS; wanted.some(isUnseen) && Date.now() < until; ) await sleep(100)
  const taken = wanted.flatMap(({ port, title, setting }) => {
    const holder = port === 0 ? undefined : holderOfPort(port)
    if (!holder || ours.includes(holder.pid ?? -1)) return []
    const who =
      holder.pid === undefined ? 'a process that cannot be seen from here' : `process ${holder.pid} (${holder.command ?? 'unknown'})`
    return [
      { sentence: `Port ${port}, which ${title} needs, is taken by ${who}.`, other: `${setting}=${port < 65_000 ? port + 1 : port - 1}` },
    ]
  })
  if (taken.length === 0) return
  const [what, which] = taken.length === 1 ? ['that process', 'another port'] : ['those processes', 'other ports']
  throw new StartError(taken.map((entry) => entry.sentence).join('\n'), {
    hint: `Stop ${what}, or choose ${which}: ${taken.map((entry) => entry.other).join(' ')} npm start`,
  })
}
