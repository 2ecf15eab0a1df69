// What conformance runs share: the agent that they put to the test.
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
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
