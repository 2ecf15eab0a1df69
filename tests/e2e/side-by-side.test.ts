/** Two installations on one machine, with different data and ports: neither sees the other. */
import { createAgent } from '@slipway/agent-client'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { fetchApp, until } from './support/api'
import { createGitApp, serving, textApp } from './support/apps'
import { leftovers } from './support/leftovers'

let git: TestGitServer
const both: Ready[] = []
beforeAll(async () => {
  git = await startGitServer()
  for (const name of ['one', 'two']) git.commit(name, 'First', textApp(name))
  both.push(await readyInstallation(), await readyInstallation())
})
afterAll(async () => {
  for (const { installation } of both) await installation.remove()
  await git?.stop()
})

it('serve apps of the same name, and stop without touching each other', async () => {
  const [one, two] = both as [Ready, Ready]
  for (const [name, { api, org }] of [
    ['one', one],
    ['two', two],
  ] as const)
    await createGitApp(api, org, { name: 'Twin', gitUrl: `${git.url}/${name}.git` })
  const answers = ({ installation }: Ready, text: string) =>
    until(text, async () => (await fetchApp(installation.routerPort, 'twin.localhost')).text === `${text}\n`)
  await Promise.all(both.map(({ api, org }) => serving(api, org, 'twin')))
  await answers(one, 'one')
  await answers(two, 'two')
  // A key of one is nothing to the other.
  const foreign = await fetch(`${two.installation.webUrl}/api/trpc/me.get`, { headers: { authorization: `Bearer ${one.key}` } })
  expect(foreign.status).toBe(401)

  const { instance } = await createAgent({ socketPath: one.installation.agentSocket }).health()
  expect(await one.installation.stop()).toBe(0)
  expect(leftovers(one.installation.data, instance)).toEqual([])
  await answers(two, 'two')
  await one.installation.start()
  await answers(one, 'one')
})
