import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startGitServer } from '@slipway/testing'
import type { Ready } from '../../tests/e2e/support/account'
import { fetchApp, until } from '../../tests/e2e/support/api'
import { createGitApp, serving } from '../../tests/e2e/support/apps'
import { githubPush } from '../../tests/e2e/support/browser'
import { type LoadResult, startLoad } from '../../tests/e2e/support/load'

const HELLO = resolve(import.meta.dirname, '../../examples/hello')

/** examples/hello in a repository of its own, deployed once; `push` changes the page and calls the webhook as GitHub would. */
async function helloApp({ api, org, installation }: Ready, name: string) {
  const git = await startGitServer()
  const tree = git.worktree(name)
  cpSync(HELLO, tree, { recursive: true })
  git.commitAll(name, 'First')
  const app = await createGitApp(api, org, { name, gitUrl: `${git.url}/${name}.git` })
  const { hostname } = await serving(api, org, app)
  const webhook = await api.apps.webhook.query({ org, app })
  const page = join(tree, 'index.html')
  const original = readFileSync(page, 'utf8')
  return {
    hostname,
    async push(marker: string): Promise<void> {
      writeFileSync(page, `${original}<!-- ${marker} -->\n`)
      const sha = git.commitAll(name, marker)
      const delivery = githubPush(webhook.secret, { branch: 'main', sha, id: `${marker}-${Date.now()}` })
      const response = await fetch(webhook.url, { method: 'POST', ...delivery })
      if (response.status >= 300) throw new Error(`webhook: ${response.status} ${await response.text()}`)
    },
    answers: (marker: string) =>
      until(`${marker} answers`, async () => (await fetchApp(installation.routerPort, hostname)).text.includes(marker), 60_000),
    async settled() {
      await serving(api, org, app)
    },
    async remove() {
      await api.apps.delete.mutate({ org, app, confirm: app })
      await git.stop()
      rmSync(tree, { recursive: true, force: true })
    },
  }
}

/** Milliseconds from the webhook's request to the first answer with the new content. */
export async function webhookToContent(ready: Ready, runs: number): Promise<number[]> {
  const hello = await helloApp(ready, 'bench-hello')
  const times: number[] = []
  for (let i = 0; i < runs; i++) {
    const marker = `run-${i}`
    const from = performance.now()
    await hello.push(marker)
    await hello.answers(marker)
    times.push(performance.now() - from)
    await hello.settled()
  }
  await hello.remove()
  return times
}

export async function deployUnderLoad(ready: Ready, deployments: number, perSecond: number): Promise<LoadResult> {
  const hello = await helloApp(ready, 'bench-load')
  const load = startLoad(ready.installation.routerPort, hello.hostname, perSecond)
  for (let i = 0; i < deployments; i++) {
    await hello.push(`load-${i}`)
    await hello.answers(`load-${i}`)
    await hello.settled()
  }
  const result = await load.stop()
  await hello.remove()
  return result
}
