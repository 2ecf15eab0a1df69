// `npm run conformance:cgroup-v2`: boots a Debian whose control groups are v2 only in an emulated machine, drives the agent there with the
// docker CLI, and fails when a limit, a device rule or the end of a container is not what it is on v1. Needs root; ten minutes without KVM.
// `-- --agent PATH` names the program under test; `-- --kvm` takes KVM, which some machines have but do not let work.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { findProgram } from '../start/checks.mjs'
import { runCommand } from '../start/command.mjs'
import { StartError } from '../start/errors.mjs'
import { createProgress } from '../start/progress.mjs'
import { run } from '../start/run.mjs'
import { ensurePackages } from '../start/system-packages.mjs'
import { ourProgram } from './agent.mjs'
import { boot, makeMachine } from './cgroup-v2/machine.mjs'

const PACKAGES = [
  { needs: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  { needs: 'mmdebstrap', package: 'mmdebstrap' },
  { needs: 'mke2fs', package: 'e2fsprogs' },
  { needs: 'docker', package: 'docker.io' },
  { needs: 'busybox', package: 'busybox-static' },
]
const DEADLINE_MS = 45 * 60_000

const progress = createProgress()
await runCommand(main)

async function main() {
  const { values } = parseArgs({ options: { agent: { type: 'string' }, kvm: { type: 'boolean', default: false } } })
  if (process.arch !== 'x64') throw new StartError('The machine is made for amd64 only.')
  if (process.getuid?.() !== 0) throw new StartError('Making a Debian root takes root.', { hint: 'Run this with sudo.' })
  await progress.step('System packages', (step) => ensurePackages(PACKAGES, step, { install: true }))
  const agent = values.agent ?? (await ourProgram(progress))
  let machine
  await progress.step('Machine', async (step) => {
    machine = await makeMachine(step)
    return 'made'
  })
  const work = mkdtempSync(join(tmpdir(), 'slipway-cgroup-v2-'))
  process.once('exit', () => rmSync(work, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
  const counts = { ok: 0, 'not ok': 0 }
  let whole = false
  await progress.step('Checks on cgroup v2', async (step) => {
    const payload = await pack(work, agent)
    const onLine = (line) => {
      const result = line.match(/^(ok|not ok) - /)?.[1]
      if (result) counts[result] += 1
      whole ||= line === 'end'
      if (result === 'ok') step.detail(line)
      else if (line !== 'end') process.stdout.write(`${line}\n`)
    }
    await boot(machine, { payload, work, kvm: values.kvm, deadlineMs: DEADLINE_MS, onLine })
    return `${counts.ok} passed, ${counts['not ok']} failed${whole ? '' : ', not run to its end'}`
  })
  return whole && counts.ok > 0 && counts['not ok'] === 0 ? 0 : 1
}

async function pack(work, agent) {
  const folder = join(work, 'payload')
  mkdirSync(folder)
  const files = {
    'slipway-agent': agent,
    docker: findProgram('docker'),
    busybox: findProgram('busybox'),
    'guest.sh': new URL('cgroup-v2/guest.sh', import.meta.url).pathname,
  }
  for (const [name, source] of Object.entries(files)) {
    copyFileSync(source, join(folder, name))
    chmodSync(join(folder, name), 0o755)
  }
  const tar = join(work, 'payload.tar')
  await run(['tar', '-C', folder, '-cf', tar, ...Object.keys(files)], { deadlineMs: 60_000, what: 'Packing the check' })
  return tar
}
