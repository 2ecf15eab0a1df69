import { StartError } from './errors.mjs'
import { holderOfPort } from './proc.mjs'

/**
 * Throws when one of our ports is taken, naming who has it and which setting to change.
 * @param {{ port: number, title: string, setting: string }[]} wanted
 */
export function checkPorts(wanted) {
  for (const { port, title, setting } of wanted) {
    if (port === 0) continue
    const holder = holderOfPort(port)
    if (!holder) continue
    const who =
      holder.pid === undefined ? 'a process that cannot be seen from here' : `process ${holder.pid} (${holder.command ?? 'unknown'})`
    throw new StartError(`Port ${port}, which ${title} needs, is taken by ${who}.`, {
      hint: `Stop that process, or choose another port: ${setting}=${port < 65_000 ? port + 1 : port - 1} npm start`,
    })
  }
}
