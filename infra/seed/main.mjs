// `npm run seed -- demo` (or `large`): fills a running, new Slipway with a scenario.
import { StartError } from '../start/errors.mjs'
import { readSettings } from '../start/settings.mjs'
import { createClient } from './client.mjs'
import { demo } from './demo.mjs'
import { large } from './large.mjs'

const SCENARIOS = { demo, large }

const [name = 'demo'] = process.argv.slice(2)
const say = (line) => process.stdout.write(`${line}\n`)
try {
  const scenario = SCENARIOS[name]
  if (!scenario) throw new StartError(`There is no scenario “${name}”.`, { hint: `There are: ${Object.keys(SCENARIOS).join(', ')}.` })
  const settings = readSettings(process.env)
  await scenario(createClient(settings, say), settings, say)
} catch (error) {
  const text = error instanceof StartError ? [error.detail, error.message, error.hint].filter(Boolean).join('\n') : error.stack
  process.stderr.write(`${text}\n`)
  process.exit(1)
}
