// The Go that conformance suites are built with. Suites ask for newer ones than a distribution has; any Go can fetch one,
// since toolchains are modules, checked against Go's checksum database like all others.
import { chmodSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../start/checks.mjs'
import { StartError } from '../start/errors.mjs'
import { run } from '../start/run.mjs'

/** What is fetched when this machine's own is older than a suite asks for. */
const TOOLCHAIN = '1.24.13'
const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' }
const HINT = [
  'Install Go 1.24 or later (https://go.dev/doc/install), or any older one from this machine’s packages (on Debian:',
  'apt-get install golang-go) and let it reach its module proxy; then run this again.',
].join(' ')

/** Whether `version`, as `go version` tells it (“go1.19.8”), is at least `minimum` (“1.24”). */
export function isAtLeast(/** @type {string} */ version, /** @type {string} */ minimum) {
  const [major, minor] = version.replace(/^go/, '').split('.').map(Number)
  const [wantedMajor, wantedMinor] = minimum.split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

/**
 * A Go of at least `minimum`, and the environment to run it in. Throws a StartError that says how to get one.
 * @param {string} minimum such as “1.24” @param {import('../start/progress.mjs').Step} step @param {string} [path] where to look
 * @returns {Promise<{ go: string, env: Record<string, string | undefined> }>}
 */
export async function goOf(minimum, step, path = `${process.env.PATH ?? ''}:/usr/local/go/bin`) {
  const found = findProgram('go', path)
  if (!found) throw new StartError('There is no Go on this machine, and the conformance suites are built with it.', { hint: HINT })
  const env = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '' }
  const version = (await run([found, 'env', 'GOVERSION'], { env, deadlineMs: 30_000, what: 'go env', hint: HINT })).trim()
  if (isAtLeast(version, minimum)) return { go: found, env }
  return { go: await fetchToolchain(found, env, version, step), env: { ...env, GOROOT: undefined } }
}

async function fetchToolchain(go, env, version, step) {
  const architecture = ARCHITECTURES[process.arch]
  if (!architecture) throw new StartError(`This machine has ${version}, which is too old.`, { hint: HINT })
  step.detail(`fetching Go ${TOOLCHAIN}, as ${version} is too old`)
  const module = `golang.org/toolchain@v0.0.1-go${TOOLCHAIN}.linux-${architecture}`
  const what = `Fetching Go ${TOOLCHAIN} with ${version}`
  // Outside of any module: the go.mod of one that asks for a newer Go is not readable to an old one.
  const options = { cwd: '/', env: { ...env, GOFLAGS: '-modcacherw' }, deadlineMs: 10 * 60_000, what, hint: HINT }
  const { Dir: root } = JSON.parse(await run([go, 'mod', 'download', '-json', module], options))
  // Archives of modules keep no modes.
  for (const folder of ['bin', join('pkg/tool', `linux_${architecture}`)]) {
    for (const name of readdirSync(join(root, folder))) chmodSync(join(root, folder, name), 0o755)
  }
  return join(root, 'bin/go')
}
