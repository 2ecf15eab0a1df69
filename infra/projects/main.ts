/**
 * `npm run projects`: builds every project of `infra/projects/apps` on an engine of its own, starts it and sees that it
 * answers. `npm run projects -- node go` takes only those. Needs root, the agent's build, and this machine's package servers.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createAgent } from '@slipway/agent-client'
import { startAgent } from '../../tests/clients/build/agent'
import { busyboxImage } from '../base-images/busybox.mjs'
import { debianInputs, makeDebian } from '../base-images/debian.mjs'
import { makeNode, nodeInputs } from '../base-images/node.mjs'
import { createProgress } from '../start/progress.mjs'
import { loadBase } from './bases'
import { buildProject, checkProject, projects } from './projects'

type Step = { detail: (text: string) => void }

const BUILD_DEADLINE_MS = 20 * 60_000

const wanted = process.argv.slice(2)
const all = projects()
const unknown = wanted.find((name) => !all.some((project) => project.name === name))
if (unknown) throw new Error(`there is no project ${unknown}; there are: ${all.map(({ name }) => name).join(', ')}`)
const chosen = all.filter(({ name }) => wanted.length === 0 || wanted.includes(name))

const progress = createProgress()
const folder = mkdtempSync('/var/tmp/sw-projects-')
const { socketPath, stop } = await startAgent(folder)
const failed: string[] = []
try {
  const agent = createAgent({ socketPath })
  await progress.step('base images', async (step: Step) => {
    await loadBase(socketPath, ['slipway.local/base/busybox:latest'], await busyboxImage(step))
    if (chosen.every(({ offline }) => offline)) return 'busybox'
    const fromDebian = await debianInputs()
    const debian = await makeDebian(fromDebian, step, { refresh: false })
    await loadBase(socketPath, ['slipway.local/base/debian:bookworm', 'slipway.local/base/debian:latest'], debian)
    const node = await makeNode(await nodeInputs(fromDebian.inputs), debian, step, { refresh: false })
    await loadBase(socketPath, ['slipway.local/base/node:20', 'slipway.local/base/node:latest'], node)
    return 'busybox, debian, node'
  })
  for (const project of chosen) {
    try {
      await progress.step(`${project.name}: ${project.about}`, async (step: Step) => {
        const image = await buildProject(agent, project, AbortSignal.timeout(BUILD_DEADLINE_MS), step.detail)
        await checkProject(agent, project, image, AbortSignal.timeout(2 * 60_000))
        const { Size } = await agent.docker.getImage(image).inspect()
        return `${(Size / 1e6).toFixed(0)} MB`
      })
    } catch (error) {
      failed.push(project.name)
      process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    }
  }
} finally {
  await stop()
  rmSync(folder, { recursive: true, force: true })
}
process.stdout.write(failed.length === 0 ? `${chosen.length} projects built, started and answered\n` : `failed: ${failed.join(', ')}\n`)
process.exitCode = failed.length === 0 ? 0 : 1
