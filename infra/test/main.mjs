// `npm test`: everything, from a fresh clone. `npm test -- unit rust` runs only those suites. The last line says the sum.
import { buildAll, generateClient } from '../start/builds.mjs'
import { checkHost, checkRust, completePath } from '../start/checks.mjs'
import { installDependencies } from '../start/dependencies.mjs'
import { createProgress, duration } from '../start/progress.mjs'
import { endRuns } from '../start/run.mjs'
import { ensurePackages, RUNTIME_PACKAGES } from '../start/system-packages.mjs'
import { compileRustTests, SUITES } from './suites.mjs'

/** What the tests use besides what Slipway itself needs: a browser, and the clients people have. */
const TEST_PACKAGES = [
  { needs: 'chromium', package: 'chromium' },
  { needs: '/usr/share/fonts/truetype/liberation', package: 'fonts-liberation' },
  { needs: 'docker', package: 'docker.io' },
  { needs: 'dockerd', package: 'docker.io' },
  { needs: 'docker-compose', package: 'docker-compose' },
  { needs: 'iptables', package: 'iptables' },
  { needs: 'skopeo', package: 'skopeo' },
  { needs: 'podman', package: 'podman' },
  { needs: 'buildah', package: 'buildah' },
  { needs: 'docker-registry', package: 'docker-registry', service: 'docker-registry' },
  { needs: 'mmdebstrap', package: 'mmdebstrap' },
  { needs: 'python3', package: 'python3' },
  { needs: 'go', package: 'golang-go' },
  { needs: '/usr/sbin/sshd', package: 'openssh-server', service: 'ssh' },
]

const progress = createProgress()
const print = (line) => process.stdout.write(`${line}\n`)

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, async () => {
    await endRuns()
    process.exit(130)
  })
}

completePath(process.env)
if (!process.stdout.isTTY) process.env.NO_COLOR = '1' // logs of CI are read as text
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !SUITES.some((suite) => suite.name === name))
if (unknown.length > 0) {
  process.stderr.write(`There is no suite ${unknown.join(', ')}. There are: ${SUITES.map((suite) => suite.name).join(', ')}.\n`)
  process.exit(2)
}
const suites = SUITES.filter((suite) => wanted.length === 0 || wanted.includes(suite.name))
const results = []
try {
  await prepare()
  for (const suite of suites) {
    const begun = Date.now()
    print(`\n── ${suite.title}`)
    results.push({ ...suite, ...(await suite.run(print)), ms: Date.now() - begun })
  }
} catch (error) {
  print([error.detail, error.message, error.hint].filter(Boolean).join('\n'))
  results.push({ title: 'Preparation', passed: 0, failed: 1, skipped: 0, ms: 0 })
}

print('')
// Once more at the end: whoever reads only the last screen of a log of CI sees why it failed.
for (const { title, told = [] } of results) for (const said of told) print(`${title}: ${said}\n`)
for (const { title, passed, failed, skipped, flaky = [], ms } of results) {
  print(
    `${failed === 0 ? '✓' : '✗'} ${title}: ${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''} (${duration(ms)})`,
  )
  for (const name of flaky) print(`  passed only when run again: ${name}`)
}
const sum = (key) => results.reduce((total, result) => total + result[key], 0)
print(`${sum('passed')} passed, ${sum('failed')} failed`)
process.exit(sum('failed') === 0 && sum('passed') > 0 ? 0 : 1)

async function prepare() {
  checkHost({ version: process.version, uid: process.getuid?.() ?? -1, platform: process.platform })
  await progress.step('System packages', (step) => ensurePackages([...RUNTIME_PACKAGES, ...TEST_PACKAGES], step, { install: true }))
  checkRust()
  await progress.step('Packages of Slipway', installDependencies)
  const build = suites.some((suite) => suite.needsBuild)
  await (build ? buildAll(progress) : generateClient(progress))
  if (suites.some((suite) => suite.name === 'rust')) await progress.step('Agent’s tests', compileRustTests)
}
