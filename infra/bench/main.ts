/**
 * `npm run bench`: brings a Slipway of its own up, measures it, then the engine, the builder, the registry, the panel's lists and what
 * is inside layers alone, and prints a table. `--cold` also times a fresh clone (minutes). `npm run bench -- installation`, `-- engine`,
 * `-- build`, `-- registry`, `-- panel` and `-- layers` measure only these; all but the first need no installation. With Debian's dockerd
 * installed, the same work is given to it in the same run.
 */
import { cpus, loadavg, totalmem } from 'node:os'
import { BUILD_GROUPS, buildFigures } from './build'
import { engineFigures, GROUPS } from './engine'
import { REGISTRY_GROUPS } from './registry/groups'
import { table } from './stats'

const say = (text: string) => process.stderr.write(`${text}\n`)
const [what, ...rest] = process.argv.slice(2)
const groups = rest.filter((word) => !word.startsWith('--'))
const rounds = Number(rest.find((word) => word.startsWith('--rounds='))?.slice('--rounds='.length) ?? 100)
const ALONE: Record<string, string[]> = {
  installation: ['all'],
  engine: GROUPS,
  build: BUILD_GROUPS,
  registry: [...REGISTRY_GROUPS],
  panel: ['lists'],
  layers: ['index', 'pages'],
}
const known = ALONE[what ?? ''] ?? null
const unknown = known && groups.find((group) => !known.includes(group))
if (unknown) throw new Error(`there is no group ${unknown}; there are: ${known.join(', ')}`)
const wanted = (name: string) => !known || what === name
const chosen = (all: string[]) => (known && groups.length > 0 ? groups : all)
// Imported only when wanted: it needs all that an installation does.
const installation = wanted('installation')
  ? await (await import('./installation')).installationFigures(say, process.argv.includes('--cold'))
  : []
const engine = wanted('engine') ? await engineFigures(say, chosen(GROUPS)) : []
const build = wanted('build') ? await buildFigures(say, chosen(BUILD_GROUPS), rounds) : []
// Imported only when wanted: it needs the database client.
const registry = wanted('registry') ? await (await import('./registry')).registryFigures(say, chosen([...REGISTRY_GROUPS])) : []
const panel = wanted('panel') ? await (await import('./panel')).panelFigures(say) : []
const layers = wanted('layers') ? await (await import('./layers')).layersFigures(say, chosen(['index', 'pages'])) : []
const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 1e9)} GB, load ${loadavg()[0]?.toFixed(1)}`
process.stdout.write(
  `\n${new Date().toISOString().slice(0, 10)}, ${machine}\n\n${table([...installation, ...engine, ...build, ...registry, ...panel, ...layers])}\n`,
)
