/** Contexts beside the build context, as the worker plans and sends them and the agent builds them. */
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAgent } from '@slipway/agent-client'
import { startGitServer } from '@slipway/testing'
import { loadImages } from '@slipway/testing/load-images'
import { expect, it, onTestFinished } from 'vitest'
import { giveContexts } from '../../../apps/worker/src/pipeline/context'
import { plan } from '../../../apps/worker/src/pipeline/plan'
import { startAgent } from './agent'
import { baseArchive } from './base'
import { startWorkerDeps } from './worker'

it('builds of named contexts and Git repositories, and finds them again by their contents', async () => {
  const folder = mkdtempSync('/var/tmp/sw-contexts-')
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const git = await startGitServer()
  onTestFinished(() => git.stop())
  git.commit('lib', 'First', { 'pkg/a.txt': 'of git\n' })
  const started = await startAgent(folder)
  onTestFinished(() => started.stop())
  await loadImages(started.socketPath, createReadStream(await baseArchive(folder)))
  const worker = await startWorkerDeps()
  onTestFinished(() => worker.stop())
  const agent = createAgent({ socketPath: started.socketPath })
  const directory = join(folder, 'tree')
  mkdirSync(join(directory, 'docs'), { recursive: true })
  const dockerfile = [
    'FROM docs AS files',
    'FROM base',
    'COPY --from=docs one.txt /one',
    `ADD ${git.url}/lib.git#main:pkg /lib/`,
    `ADD --keep-git-dir ${git.url}/lib.git /whole/`,
    'RUN --mount=type=bind,from=docs,target=/d cat /d/one.txt /one /lib/a.txt /whole/.git/HEAD; test ! -e /d/left-out',
    'COPY --from=files / /all/',
  ]
  writeFileSync(join(directory, 'Dockerfile'), `${dockerfile.join('\n')}\n`)
  for (const [name, text] of Object.entries({ 'one.txt': 'of docs\n', 'left-out': 'x', '.dockerignore': 'left-out' }))
    writeFileSync(join(directory, 'docs', name), text)
  const build = async (id: string) => {
    const signal = AbortSignal.timeout(120_000)
    const source = {
      ssh: null,
      ...{ organization: 'contexts', directory, contextPath: '.', dockerfilePath: 'Dockerfile', kept: null },
      ...{ target: null, platforms: [], buildArgs: {}, namedContexts: { docs: './docs' }, scratch: join(folder, 'scratch') },
    }
    const quiet = () => undefined
    const planned = await plan(worker.of(agent), source, signal, quiet, async () => undefined)
    const seen = { log: '', done: 0, error: '' }
    const given = await giveContexts(agent, 'contexts', planned.sent, signal)
    const request = { id, scope: 'contexts', plan: planned.plan, tags: [], ...given }
    for await (const event of agent.build(request, signal)) {
      if (event.type === 'log') seen.log += event.data
      if (event.type === 'vertex' && event.status === 'done') seen.done++
      if (event.type === 'error') seen.error = event.message
    }
    return seen
  }
  const first = await build('one')
  expect(first).toMatchObject({ error: '', done: 6 })
  expect(first.log).toMatch(/^of docs\nof docs\nof git\n[0-9a-f]{40}\n$/)
  // Fetched anew, and the same: nothing is made again.
  expect(await build('two')).toEqual({ log: '', done: 0, error: '' })
}, 240_000)
