// `npm run conformance:oci-runtime`: runs the OCI runtime-tools validation programs against runc and against the agent's OCI mode
// on this machine, prints what each passes, and fails when ours fails a check that runc passes each time. Needs root and Go.
// `-- --agent PATH` names the program under test, `-- --only PROGRAM` (repeatable) runs just these.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { findProgram } from '../start/checks.mjs'
import { runCommand } from '../start/command.mjs'
import { StartError } from '../start/errors.mjs'
import { createProgress } from '../start/progress.mjs'
import { ensurePackages } from '../start/system-packages.mjs'
import { ourProgram } from './agent.mjs'
import { buildValidation, ROOTFS } from './oci-runtime/build.mjs'
import { endProgram, runProgram, takeDown, writeWrapper } from './oci-runtime/run.mjs'
import { differences, table } from './oci-runtime/table.mjs'

const PACKAGES = [
  { needs: 'runc', package: 'runc' },
  { needs: 'unshare', package: 'util-linux' },
  { needs: 'tar', package: 'tar' },
]
/** How often a program is run again, with each runtime, that ours has not passed as runc has. */
const ROUNDS = 5

const progress = createProgress()
await runCommand(main)

async function main() {
  const { values } = parseArgs({ options: { agent: { type: 'string' }, only: { type: 'string', multiple: true } } })
  if (process.getuid?.() !== 0) throw new StartError('Making containers takes root.', { hint: 'Run this with sudo.' })
  await progress.step('System packages', (step) => ensurePackages(PACKAGES, step, { install: true }))
  const agent = values.agent ?? (await ourProgram(progress))
  let built
  await progress.step('Validation programs', async (step) => {
    built = await buildValidation(step)
    return `${built.programs.length} of runtime-tools`
  })
  const programs = values.only ? built.programs.filter((name) => values.only.includes(name)) : built.programs
  const work = mkdtempSync(join(tmpdir(), 'slipway-conformance-'))
  // The root of a user namespace is nobody special outside, and must reach its bundle.
  chmodSync(work, 0o755)
  const runtimes = {
    runc: writeWrapper(work, 'runc', [findProgram('runc'), '--root', join(work, 'runc-state')]),
    ours: writeWrapper(work, 'ours', [agent, 'oci', '--root', join(work, 'ours-state')]),
  }
  const once = (program, runtime) => runProgram({ program, directory: built.directory, rootfs: built[ROOTFS], runtime, work })
  const results = { runc: new Map(), ours: new Map() }
  const cleanUp = async () => {
    endProgram()
    for (const runtime of Object.values(runtimes)) await takeDown(runtime)
    rmSync(work, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => cleanUp().finally(() => process.exit(130)))
  try {
    for (const [name, runtime] of Object.entries(runtimes)) {
      await progress.step(name, async (step) => {
        for (const program of programs) {
          step.detail(program)
          results[name].set(program, await once(program, runtime))
        }
        return 'done'
      })
    }
    for (const program of programs.filter((name) => differences([name], results).length > 0)) {
      await progress.step(`${program} again`, (step) => again(program, { results, runtimes, once, step }))
    }
  } finally {
    await cleanUp()
  }
  process.stdout.write(`\n${table(programs, results)}\n`)
  const worse = differences(programs, results)
  for (const line of worse) process.stdout.write(`worse than runc: ${line}\n`)
  return worse.length === 0 ? 0 : 1
}

/**
 * Some programs depend on a race between the container's end and their own next call: a coin that falls for either
 * runtime. Ours is worse only if it misses every time what runc passes every time.
 */
async function again(program, { results, runtimes, once, step }) {
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const name of ['ours', 'runc']) {
      step.detail(`${name}, ${round} of ${ROUNDS}`)
      const before = results[name].get(program)
      results[name].set(program, await once(program, runtimes[name]))
      if (differences([program], results).length === 0) return name === 'ours' ? 'passed now' : 'runc misses it at times, too'
      if (name === 'runc') results[name].set(program, before)
    }
  }
  return 'worse each time'
}
