/** Projects of infra/projects that need no network: built, started, and they do what they say. `npm run projects` takes them all. */
import { mkdtempSync, rmSync } from 'node:fs'
import { type Agent, createAgent } from '@slipway/agent-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { busyboxImage } from '../../../infra/base-images/busybox.mjs'
import { loadBase } from '../../../infra/projects/bases'
import { buildProject, checkProject, projects } from '../../../infra/projects/projects'
import { startAgent } from './agent'

let agent: Agent
const undo: (() => unknown)[] = []
beforeAll(async () => {
  const folder = mkdtempSync('/var/tmp/sw-projects-')
  undo.push(() => rmSync(folder, { recursive: true, force: true }))
  const { socketPath, stop } = await startAgent(folder)
  undo.push(stop)
  agent = createAgent({ socketPath })
  await loadBase(socketPath, ['slipway.local/base/busybox:latest'], await busyboxImage({ detail: () => undefined }))
})
afterAll(async () => {
  for (let step = undo.pop(); step; step = undo.pop()) await step()
})

const offline = projects().filter((project) => project.offline)

it.each(offline.map((project) => [project.name, project] as const))('%s', async (_name, project) => {
  const signal = AbortSignal.timeout(120_000)
  await checkProject(agent, project, await buildProject(agent, project, signal, () => undefined), signal)
  // A second time nothing of it is built.
  await expect(buildProject(agent, project, signal, () => undefined)).resolves.toContain(project.name)
})
