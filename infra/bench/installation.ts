import { readyInstallation } from '../../tests/e2e/support/account'
import { coldStart } from './cold-start'
import { containerStart } from './container-start'
import { deployUnderLoad, webhookToContent } from './deploys'
import { laptopFigures } from './laptop'
import { memoryOf } from './memory'
import type { Figure } from './stats'

/** Brings a whole Slipway up and measures it; `cold` also times a fresh clone. */
export async function installationFigures(say: (text: string) => void, cold: boolean): Promise<Figure[]> {
  const figures: Figure[] = []
  if (cold) {
    say('cold start from a fresh clone …')
    figures.push({ name: 'Cold `npm start` from a fresh clone', unit: 'ms', ours: [await coldStart()], aim: '—' })
  }

  say('bringing up …')
  const ready = await readyInstallation()
  const { installation } = ready
  try {
    const warm: number[] = []
    for (let i = 0; i < 5; i++) {
      await installation.stop()
      warm.push(await installation.start())
    }
    figures.push({ name: 'Warm `npm start`', unit: 'ms', ours: warm, aim: '≤ 15 s' })

    say('webhook to new content …')
    figures.push({
      name: '`examples/hello`: webhook received → new content answers',
      unit: 'ms',
      ours: await webhookToContent(ready, 10),
      aim: '≤ 3 s',
    })

    say('upload of 1 GB from a laptop …')
    figures.push(...(await laptopFigures(ready)))

    say('container starts …')
    figures.push(await containerStart(installation.agentSocket, 50))

    say('memory at rest …')
    await new Promise((resolve) => setTimeout(resolve, 15_000))
    const parts = (['caddy', 'registry', 'agent', 'worker', 'web'] as const).map((part) => installation.pid(part))
    const memory = memoryOf([process.pid, ...parts].slice(1), (command) => /^(\S*postgres|postgres:|\S*redis-server)/.test(command))
    for (const part of memory.parts) say(`  ${(part.bytes / 1e6).toFixed(1).padStart(7)} MB  ${part.command}`)
    figures.push({
      name: 'Idle memory (PSS) of all Slipway processes without Postgres and Redis',
      unit: 'MB',
      ours: [memory.total / 1e6],
      aim: '≤ 450 MB',
    })

    say('20 deployments at 50 requests/s …')
    const load = await deployUnderLoad(ready, 20, 50)
    say(
      `  ${load.sent} requests, ${load.failed.length} failed${load.failed
        .slice(0, 5)
        .map((f) => `; ${f.why}`)
        .join('')}`,
    )
    figures.push({
      name: `Failed requests at 50/s during 20 deployments (${load.sent} sent)`,
      unit: 'requests',
      ours: [load.failed.length],
      aim: '0',
    })
  } finally {
    await installation.remove()
  }

  return figures
}
