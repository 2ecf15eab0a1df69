// What `npm test` runs, in order.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../start/run.mjs'
import { ROOT } from '../start/settings.mjs'
import {
  afterSecondRun,
  atLeastOneFailure,
  countCargo,
  countVitest,
  failedFiles,
  failedTargets,
  toldByCargo,
  toldByVitest,
} from './results.mjs'

const AGENT = join(ROOT, 'apps/agent')
const MINUTE = 60_000

/**
 * @typedef {{ name: string, title: string, needsBuild: boolean, run: (print: (line: string) => void) => Promise<import('./results.mjs').Counts> }} Suite
 * @type {Suite[]}
 */
export const SUITES = [
  { name: 'check', title: 'Format, lint, boundaries, types', needsBuild: false, run: checks },
  { name: 'unit', title: 'Unit', needsBuild: false, run: unit },
  { name: 'rust', title: 'Agent', needsBuild: false, run: cargo },
  { name: 'conformance', title: 'Conformance', needsBuild: false, run: (print) => realPrograms('conformance', print) },
  { name: 'clients', title: 'Real clients', needsBuild: true, run: (print) => realPrograms('clients', print) },
  { name: 'e2e', title: 'End to end', needsBuild: true, run: (print) => realPrograms('e2e', print) },
]

/** Compiles the agent's tests; apart from running them, so that it can share the machine with other builds. */
export const compileRustTests = (step) =>
  run(['cargo', 'test', '--workspace', '--locked', '--no-run'], {
    cwd: AGENT,
    env: rustEnvironment(),
    deadlineMs: 30 * MINUTE,
    onLine: (line) => /^\s*Compiling /.test(line) && step.detail(line),
    what: 'Compiling the agent’s tests',
  })

const rustEnvironment = () => ({ ...process.env, CARGO_TARGET_DIR: join(AGENT, 'target'), CARGO_TERM_COLOR: 'never' })

const CHECKS = ['lint', 'boundaries', 'bans', 'types', 'rustfmt']

async function checks(print) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const check of CHECKS) {
    const ok = await watch([process.execPath, 'infra/check/main.mjs', check], { cwd: ROOT, deadlineMs: 10 * MINUTE }, print)
    counts[ok ? 'passed' : 'failed'] += 1
  }
  return counts
}

async function cargo(print) {
  const first = await cargoTest(['--workspace'], print)
  const targets = failedTargets(first.output)
  if (targets.length === 0) return first.counts
  const again = { passed: 0, failed: 0, skipped: 0, told: [] }
  for (const target of targets) {
    const { counts } = await cargoTest(target, print)
    for (const key of ['passed', 'failed', 'skipped']) again[key] += counts[key]
    again.told.push(...counts.told)
  }
  return afterSecondRun(
    first.counts,
    again,
    targets.map((target) => target.join(' ')),
  )
}

/** A test that hangs ends its own binary; the others still run, and cargo names that one to be run again. */
const BINARY_DEADLINE = ['--config', `target."cfg(unix)".runner = ["timeout", "--foreground", "--verbose", "--kill-after=10", "540"]`]

async function cargoTest(targets, print) {
  let output = ''
  const ok = await watch(
    ['cargo', ...BINARY_DEADLINE, 'test', ...targets, '--locked', '--no-fail-fast'],
    { cwd: AGENT, env: rustEnvironment(), deadlineMs: 30 * MINUTE },
    (line) => {
      output += `${line}\n`
      if (!/^test .* \.\.\. ok$|^running \d+ tests?$/.test(line)) print(line)
    },
  )
  return { output, counts: { ...atLeastOneFailure(countCargo(output), ok), told: toldByCargo(output) } }
}

async function unit(print) {
  return (await vitestRun('unit', [], print)).counts
}

/** Suites with real programs: one file after the other, since each brings up servers of its own and some measure times. */
async function realPrograms(project, print) {
  const flags = ['--no-file-parallelism']
  const first = await vitestRun(project, flags, print)
  const files = failedFiles(first.report)
  if (files.length === 0) return first.counts
  const again = await vitestRun(project, [...flags, ...files], print)
  return afterSecondRun(first.counts, again.counts, files)
}

async function vitestRun(project, flags, print) {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-test-'))
  const file = join(folder, 'report.json')
  try {
    const ok = await watch(
      [
        process.execPath,
        join(ROOT, 'node_modules/vitest/vitest.mjs'),
        'run',
        '--project',
        project,
        ...flags,
        '--passWithNoTests',
        '--reporter=default',
        '--reporter=json',
        `--outputFile=${file}`,
      ],
      { cwd: ROOT, deadlineMs: 30 * MINUTE },
      print,
    )
    const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
    const counts = report ? countVitest(report) : { passed: 0, failed: 0, skipped: 0 }
    return { report, counts: { ...atLeastOneFailure(counts, ok), told: toldByVitest(report) } }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs a program, printing as it goes; whether it ended well. */
async function watch(argv, options, print) {
  try {
    await run(argv, { ...options, onLine: print, what: argv.slice(0, 3).join(' ') })
    return true
  } catch (error) {
    print(error.message) // its output has been printed already
    return false
  }
}
