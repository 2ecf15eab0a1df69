// What conformance runs share: the agent that they put to the test, and how they end.
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { StartError } from '../start/errors.mjs'
import { run } from '../start/run.mjs'
import { ROOT } from '../start/settings.mjs'

const AGENT = join(ROOT, 'apps/agent')
const binaryOf = (profile) => join(AGENT, 'target', profile, 'slipway-agent')

/** What was built last, or a build made now. @param {ReturnType<typeof import('../start/progress.mjs').createProgress>} progress */
export async function ourProgram(progress) {
  const candidates = ['release', 'debug'].map(binaryOf).filter(existsSync)
  candidates.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
  if (candidates.length > 0) return candidates[0]
  await progress.step('Agent', async (step) => {
    const options = { cwd: AGENT, deadlineMs: 30 * 60_000, onLine: step.detail, what: 'Building the agent' }
    await run(['cargo', 'build', '-p', 'slipway-agent'], options)
    return 'built'
  })
  return binaryOf('debug')
}

/** Runs the command; its number is the exit code, and a fault is told as people can use it. @param {() => Promise<number>} main */
export async function runCommand(main) {
  try {
    process.exitCode = await main()
  } catch (error) {
    const text =
      error instanceof StartError
        ? [error.detail?.replace(/^/gm, '  | '), error.message, error.hint].filter(Boolean).join('\n')
        : (error?.stack ?? error)
    process.stderr.write(`\n${text}\n`)
    process.exitCode = 1
  }
}
