/**
 * `npm run bench`: brings a Slipway of its own up, measures, then the engine alone, and prints a table. `--cold` also times a
 * fresh clone (minutes). `npm run bench -- engine` measures only the engine, which needs no installation. With Debian's
 * dockerd installed, the same work is given to it in the same run.
 */
import { cpus, loadavg, totalmem } from 'node:os'
import { engineFigures, GROUPS } from './engine'
import { table } from './stats'

const say = (text: string) => process.stderr.write(`${text}\n`)
const [what, ...groups] = process.argv.slice(2)
const unknown = what === 'engine' ? groups.find((group) => !GROUPS.includes(group)) : undefined
if (unknown) throw new Error(`there is no group ${unknown}; there are: ${GROUPS.join(', ')}`)
// Imported only when wanted: it needs all that an installation does.
const installation =
  what === 'engine' ? [] : await (await import('./installation')).installationFigures(say, process.argv.includes('--cold'))
const engine = await engineFigures(say, what === 'engine' && groups.length > 0 ? groups : GROUPS)
const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 1e9)} GB, load ${loadavg()[0]?.toFixed(1)}`
process.stdout.write(`\n${new Date().toISOString().slice(0, 10)}, ${machine}\n\n${table([...installation, ...engine])}\n`)
